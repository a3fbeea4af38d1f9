import type { Budget } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { invalid } from './invalid.ts';

/** The column of a node that is a leaf. */
const LEAF = 0xffff;
/** Parts of a node's type: how the left child lies, how the split tests, how the right child lies. */
const [LEFT, TEST, RIGHT] = [0x33, 0x0c, 0xc0];
/** A left child that is a bare number; below 4, the bytes of a subtree's size less one. */
const LEFT_LEAF = 0x30;
const [BY_NUMBER, BY_32_BITS, BY_BITS] = [0, 8, 12];
/** Where a missing value goes: tested for alone, left, right, or as the split was trained without any. */
const [MISSING_ALONE, LAST_DIRECTION] = [1, 5];
/** Bytes of what is known of an inner node beside the tree, and where the ids of its children begin. */
const AUXILIARY = 40;
const CHILDREN = 32;

export type TreeOptions = {
  /** How many columns a row has. */
  readonly features: number;
  /** True before version 1.2, which counts the bytes of a set of categories in 16 bits, not its bits in 32. */
  readonly old: boolean;
};

/**
 * Walks a compressed tree (hex/genmodel/algos/tree/SharedTreeMojoModel.java, scoreTree) and returns how many inner nodes it
 * has: every subtree has the size that is told and ends where the other begins, the last at the end. Throws FORMAT_INVALID,
 * FORMAT_TRUNCATED or LIMIT_EXCEEDED.
 */
export const walkTree = (bytes: Uint8Array, { features, old }: TreeOptions, budget: Budget): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let inner = 0;
  /** For each left subtree that has begun: its end, and whether a bare leaf follows it. */
  const begun: { readonly end: number; readonly leaf: boolean }[] = [];
  const pass = (count: number): number => {
    const from = at;
    at += count;
    if (at > bytes.length)
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'a tree ends inside a node', { offset: from });
    return from;
  };
  const number = (width: number): number => {
    const from = pass(width);
    let value = 0;
    for (let index = width - 1; index >= 0; index--) value = value * 256 + view.getUint8(from + index);
    return value;
  };
  const passSplit = (test: number): void => {
    if (test === BY_NUMBER || test === BY_32_BITS) pass(4);
    else {
      pass(2);
      pass(old ? number(2) : Math.ceil(number(4) / 8));
    }
  };
  /** A node and a left child without a subtree; true when that ends the subtree that the node is. */
  const passNode = (): boolean => {
    const from = at;
    const type = number(1);
    const column = number(2);
    if (column === LEAF) {
      if (from !== 0 || type !== 0) invalid('a leaf is written as a node', from);
      pass(4);
      return true;
    }
    const [left, test, right] = [type & LEFT, type & TEST, type & RIGHT];
    const missing = number(1);
    if (column >= features) invalid('a node tests a column that does not exist', from);
    if (missing < MISSING_ALONE || missing > LAST_DIRECTION) invalid('a node sends missing values nowhere', from);
    if (test !== BY_NUMBER && test !== BY_32_BITS && test !== BY_BITS) invalid('a node has an unknown test', from);
    if ((left > 3 && left !== LEFT_LEAF) || (right !== 0 && right !== RIGHT)) invalid('a node has odd children', from);
    inner += 1;
    if (missing !== MISSING_ALONE) passSplit(test);
    if (left === LEFT_LEAF) pass(right === RIGHT ? 8 : 4);
    else {
      const size = number(left + 1);
      begun.push({ end: at + size, leaf: right === RIGHT });
    }
    return left === LEFT_LEAF && right === RIGHT;
  };
  for (;;) {
    if (!passNode()) continue;
    let subtree = begun.pop();
    for (; subtree !== undefined; subtree = begun.pop()) {
      if (subtree.end !== at) invalid('a subtree has another size than its parent says', at);
      if (!subtree.leaf) break;
      pass(4);
    }
    if (subtree === undefined) break;
  }
  budget.spend('steps', inner + 1);
  if (at !== bytes.length) invalid('bytes follow a tree', at);
  return inner;
};

/**
 * Checks what is known of the `inner` nodes of a tree: a record for each, of which the first is the root and every other a
 * child of one before it. Throws FORMAT_INVALID or LIMIT_EXCEEDED.
 */
export const checkAuxiliary = (bytes: Uint8Array, inner: number, budget: Budget): void => {
  if (bytes.length !== inner * AUXILIARY) invalid('what is known of the nodes is not told for each', 0);
  budget.spend('steps', inner);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const waiting = new Set([0]);
  const named = new Set([0]);
  for (let at = 0; at < bytes.length; at += AUXILIARY) {
    if (!waiting.delete(view.getInt32(at, true))) invalid('a node is the child of none, or of two', at);
    for (const place of [at + CHILDREN, at + CHILDREN + 4]) {
      const child = view.getInt32(place, true);
      if (child <= 0 || named.has(child)) invalid('a node has a child that another has', place);
      named.add(child);
      waiting.add(child);
    }
  }
};
