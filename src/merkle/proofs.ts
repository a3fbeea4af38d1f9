import { WeighbridgeError } from '../errors.ts';
import { sameDigest, type TreeHash } from './hash.ts';

/** The root of the complete subtree over the leaves `index·2^level` to `(index+1)·2^level`. */
export type NodeAt = (level: number, index: number) => Uint8Array;

/** Proofs longer than this belong to no tree of at most 2^53 leaves. */
const MAX_PROOF = 64;

/** The root over the leaves `start` to `end`; `start` must be aligned as RFC 6962 splits trees. */
export const rangeRoot = (hash: TreeHash, at: NodeAt, start: number, end: number): Uint8Array => {
  const width = end - start;
  if (width === 0) return hash.empty();
  const level = Math.log2(width);
  if (Number.isInteger(level)) return at(level, start / width);
  const split = start + leftWidth(width);
  return hash.node(rangeRoot(hash, at, start, split), rangeRoot(hash, at, split, end));
};

/** PATH(index, D[size]) of RFC 6962 section 2.1.1: the siblings from the leaf up. Throws LIMIT_EXCEEDED outside the tree. */
export const proveInclusion = (hash: TreeHash, at: NodeAt, index: number, size: number): Uint8Array[] => {
  if (!(index >= 0 && index < size)) outside(index, size);
  const path = (start: number, end: number): Uint8Array[] => {
    if (end - start === 1) return [];
    const split = start + leftWidth(end - start);
    return index < split
      ? [...path(start, split), rangeRoot(hash, at, split, end)]
      : [...path(split, end), rangeRoot(hash, at, start, split)];
  };
  return path(0, size);
};

/** PROOF(first, D[second]) of RFC 6962 section 2.1.2: that the tree of `second` leaves begins with that of `first`. */
export const proveConsistency = (hash: TreeHash, at: NodeAt, first: number, second: number): Uint8Array[] => {
  if (!(first >= 0 && first <= second)) outside(first, second);
  const sub = (start: number, end: number, known: boolean): Uint8Array[] => {
    if (first === end) return known ? [] : [rangeRoot(hash, at, start, end)];
    const split = start + leftWidth(end - start);
    return first <= split
      ? [...sub(start, split, known), rangeRoot(hash, at, split, end)]
      : [...sub(split, end, false), rangeRoot(hash, at, start, split)];
  };
  return first === 0 ? [] : sub(0, second, true);
};

/** Whether `proof` shows that `leaf` is entry `index` of the tree with `size` leaves and this `root` (RFC 9162, 2.1.3.2). */
export const verifyInclusion = (
  hash: TreeHash,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean => {
  if (!(index >= 0 && index < size) || proof.length > MAX_PROOF) return false;
  let [position, last, node] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      node = hash.node(sibling, node);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else {
      node = hash.node(node, sibling);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && sameDigest(node, root);
};

/** Whether `proof` shows that the tree of `second` leaves extends the tree of `first` (RFC 9162, 2.1.4.2). */
export const verifyConsistency = (
  hash: TreeHash,
  first: number,
  second: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean => {
  if (!(first >= 0 && first <= second) || proof.length > MAX_PROOF) return false;
  if (first === second) return proof.length === 0 && sameDigest(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0 && sameDigest(firstRoot, hash.empty());
  const path = Number.isInteger(Math.log2(first)) ? [firstRoot, ...proof] : [...proof];
  const start = path.shift();
  if (start === undefined) return false;
  let [position, last] = [first - 1, second - 1];
  while (position % 2 === 1) [position, last] = [half(position), half(last)];
  let [older, newer] = [start, start];
  for (const sibling of path) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      older = hash.node(sibling, older);
      newer = hash.node(sibling, newer);
      while (position % 2 === 0 && position !== 0) [position, last] = [half(position), half(last)];
    } else {
      newer = hash.node(newer, sibling);
    }
    [position, last] = [half(position), half(last)];
  }
  return last === 0 && sameDigest(older, firstRoot) && sameDigest(newer, secondRoot);
};

/** The largest power of two below `width`: RFC 6962 puts that many leaves to the left. */
const leftWidth = (width: number): number => {
  let left = 1;
  while (left * 2 < width) left *= 2;
  return left;
};

const half = (value: number): number => Math.floor(value / 2);

const outside = (index: number, size: number): never => {
  throw new WeighbridgeError('LIMIT_EXCEEDED', `entry ${index} lies outside a tree of ${size}`, { index, size });
};
