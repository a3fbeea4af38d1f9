import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { createFrontier } from '../merkle/frontier.ts';
import { DIGEST_BYTES } from '../merkle/hash.ts';
import type { NodeAt } from '../merkle/proofs.ts';
import { tree } from './digest.ts';
import { listHashes } from './layout.ts';

/** Leaves of a tile, whose root is kept: 1/256 of the leaf hashes stays in memory, a proof reads two tiles. */
const TILE_LEVEL = 8;
const TILE_LEAVES = 2 ** TILE_LEVEL;

/** The leaf hashes of a log folder as one array. */
export type LeafHashes = {
  /** Hashes that are there without a gap from entry 0 on. */
  readonly size: number;
  /** `count` hashes from entry `first` on, 32 bytes each; fewer at the end. */
  read(first: number, count: number): Buffer;
  close(): void;
};

/** Opens the leaf hashes of the log in `directory`. */
export const openLeafHashes = (directory: string): LeafHashes => {
  const files: { first: number; count: number; file: number }[] = [];
  let size = 0;
  for (const { first, hashes } of listHashes(directory)) {
    if (first !== size) break;
    const file = openSync(hashes, 'r');
    const count = Math.floor(fstatSync(file).size / DIGEST_BYTES);
    files.push({ first, count, file });
    size += count;
  }
  return {
    size,
    read(first, count) {
      const wanted = Buffer.alloc(Math.max(0, Math.min(count, size - first)) * DIGEST_BYTES);
      for (const { first: start, count: length, file } of files) {
        const [from, to] = [Math.max(first, start), Math.min(first + count, start + length)];
        if (from >= to) continue;
        readSync(
          file,
          wanted,
          (from - first) * DIGEST_BYTES,
          (to - from) * DIGEST_BYTES,
          (from - start) * DIGEST_BYTES,
        );
      }
      return wanted;
    },
    close() {
      for (const { file } of files) closeSync(file);
    },
  };
};

/** Calls `visit` with each hash from entry `from` to `end`. */
export const eachHash = (
  hashes: LeafHashes,
  from: number,
  end: number,
  visit: (hash: Buffer, index: number) => void,
): void => {
  for (let start = from; start < end; start += TILE_LEAVES) {
    const tile = hashes.read(start, Math.min(TILE_LEAVES, end - start));
    for (let at = 0; at < tile.length; at += DIGEST_BYTES) {
      visit(tile.subarray(at, at + DIGEST_BYTES), start + at / DIGEST_BYTES);
    }
  }
};

/** The roots of the tree over the first n leaf hashes, for each n in `sizes` (ascending). */
export const rootsAt = (hashes: LeafHashes, sizes: readonly number[]): Map<number, Uint8Array> => {
  const frontier = createFrontier(tree);
  const roots = new Map<number, Uint8Array>();
  for (const size of sizes) {
    if (size > hashes.size) break;
    eachHash(hashes, frontier.size, size, (hash) => frontier.append(hash));
    roots.set(size, frontier.root());
  }
  return roots;
};

/** Nodes of the tree over the first `size` leaf hashes, for proofs. */
export const openTree = (hashes: LeafHashes, size: number): NodeAt => {
  if (hashes.size < size) {
    throw new WeighbridgeError('LOG_CORRUPT', `leaf hashes are there for ${hashes.size} of ${size} entries`);
  }
  const tiles: Uint8Array[] = [];
  for (let first = 0; first + TILE_LEAVES <= size; first += TILE_LEAVES) {
    tiles.push(complete(leaves(hashes.read(first, TILE_LEAVES))));
  }
  const levels = [tiles];
  let last = { first: -1, leaves: [] as Uint8Array[] };
  return (level, index) => {
    if (level < TILE_LEVEL) {
      const first = Math.floor((index * 2 ** level) / TILE_LEAVES) * TILE_LEAVES;
      if (last.first !== first) last = { first, leaves: leaves(hashes.read(first, TILE_LEAVES)) };
      return complete(last.leaves.slice(index * 2 ** level - first, (index + 1) * 2 ** level - first));
    }
    const upper = level - TILE_LEVEL;
    while (levels.length <= upper) levels.push(paired(levels.at(-1) ?? []));
    const node = levels[upper]?.[index];
    if (node !== undefined) return node;
    throw new WeighbridgeError('LIMIT_EXCEEDED', `no node ${index} at level ${level}`);
  };
};

const leaves = (tile: Buffer): Uint8Array[] =>
  Array.from({ length: tile.length / DIGEST_BYTES }, (_, at) =>
    tile.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES),
  );

const paired = (nodes: readonly Uint8Array[]): Uint8Array[] =>
  Array.from({ length: Math.floor(nodes.length / 2) }, (_, at) => {
    const [left, right] = nodes.slice(2 * at);
    return tree.node(left ?? new Uint8Array(), right ?? new Uint8Array());
  });

/** The root over a power of two of leaves. */
const complete = (nodes: readonly Uint8Array[]): Uint8Array => {
  let level = [...nodes];
  while (level.length > 1) level = paired(level);
  return level[0] ?? tree.empty();
};
