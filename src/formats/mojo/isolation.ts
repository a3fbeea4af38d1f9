import type { Budget } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { invalid } from './invalid.ts';

/** Types of a node, as letters, and what no type is: the writer's buffer ends in zeros. */
const [NODE, LEAF] = [0x4e, 0x4c];
/** Bytes before a node's values, and of the count in a leaf. */
const [HEAD, COUNT] = [5, 4];
/** The largest node whose children still have numbers. */
const LAST = 2 ** 30 - 2;

/**
 * Walks a tree of an extended isolation forest (hex/genmodel/algos/isoforextended, scoreTree0), whose reader goes on from node
 * to node until it meets the number of the child that it looks for: every child stands behind its parent, and nothing
 * behind the nodes but zeros. Throws FORMAT_INVALID, FORMAT_TRUNCATED or LIMIT_EXCEEDED.
 */
export const walkIsolationTree = (bytes: Uint8Array, features: number, budget: Budget): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4 || view.getInt32(0, true) !== features) invalid('a tree splits by other columns', 0);
  let at = 4;
  let before = -1;
  const wanted = new Set([0]);
  while (at + HEAD <= bytes.length) {
    const type = view.getUint8(at + 4);
    if (type !== NODE && type !== LEAF) break;
    const node = view.getInt32(at, true);
    if (node <= before || !wanted.delete(node)) invalid('a node is the child of none, or stands before its parent', at);
    before = node;
    budget.spend('steps', 1);
    if (type === NODE) {
      if (node > LAST) invalid('a node is too deep', at);
      wanted.add(2 * node + 1).add(2 * node + 2);
    }
    at += HEAD + (type === NODE ? 16 * features : COUNT);
  }
  if (at > bytes.length)
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'a tree ends inside a node', { offset: before });
  if (wanted.size > 0) invalid('a node has a child that does not exist', at);
  if (bytes.subarray(at).some((byte) => byte !== 0)) invalid('bytes follow a tree', at);
};
