import { WeighbridgeError } from '../errors.ts';
import type { TreeHash } from './hash.ts';

/**
 * The right edge of a growing tree: the roots of its complete subtrees, largest first, one for each one-bit of its
 * size. It is all that appending and the root need: 32 bytes times log2(size).
 */
export type Frontier = {
  readonly size: number;
  append(leaf: Uint8Array): void;
  root(): Uint8Array;
  /** What `createFrontier` needs to go on from here. */
  nodes(): readonly Uint8Array[];
};

/** A frontier of an empty tree, or of `size` leaves with the given `nodes`. Throws FORMAT_INVALID when they do not fit. */
export const createFrontier = (hash: TreeHash, size = 0, nodes: readonly Uint8Array[] = []): Frontier => {
  if (nodes.length !== oneBits(size)) {
    throw new WeighbridgeError('FORMAT_INVALID', `${nodes.length} nodes are no frontier of ${size} leaves`, { size });
  }
  let count = size;
  const edge = [...nodes];
  return {
    get size() {
      return count;
    },
    append(leaf) {
      let node = leaf;
      // Each trailing one-bit of the old size is a complete subtree that now gets its right sibling.
      for (let rest = count; rest % 2 === 1; rest = (rest - 1) / 2) {
        const left = edge.pop();
        if (left !== undefined) node = hash.node(left, node);
      }
      edge.push(node);
      count += 1;
    },
    root() {
      const last = edge.at(-1);
      if (last === undefined) return hash.empty();
      return edge.slice(0, -1).reduceRight((right, left) => hash.node(left, right), last);
    },
    nodes: () => [...edge],
  };
};

const oneBits = (size: number): number => {
  let bits = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2;
  return bits;
};
