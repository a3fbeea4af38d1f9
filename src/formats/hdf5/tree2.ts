import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { address, cursorAt, cursorIn, type Hdf5, invalid, length, signature, unsigned } from './file.ts';

/** Levels of one tree: each multiplies the records by some dozen. */
const DEPTH = 16;
/** Nodes and records of one tree. */
const NODES = 1_000_000;
/** Bytes of one node: the library's own have 512 to 65,536. */
const NODE = 1 << 24;
/** Signature, version, type and checksum of a node. */
const OVERHEAD = 10;

/** Bytes that the library takes to store numbers up to `limit` (H5VM_limit_enc_size). */
export const widthOf = (limit: number): number => Math.floor(Math.log2(Math.max(1, limit)) / 8) + 1;

type Level = { readonly records: number; readonly total: number; readonly totalWidth: number };

/** The records of the B-tree of version 2 at `start` (HDF5 file format 3.0, III.A.2): cursors that stand at each. */
export const recordsOf = function* (file: Hdf5, start: number, type: number): Generator<Cursor> {
  const head = cursorAt(file, start);
  signature(head, 'BTHD');
  head.skip(1);
  if (head.u8() !== type) invalid('a tree holds records of another type', start);
  const nodeSize = within('bytes of a node', head.u32(), NODE);
  const recordSize = head.u16();
  const depth = within('levels of a tree', head.u16(), DEPTH);
  head.skip(2);
  const root = address(file, head);
  const used = head.u16();
  length(file, head);
  if (root === undefined || used === 0) return;
  if (recordSize === 0 || nodeSize <= OVERHEAD) invalid('a tree has records or nodes of no size', start);
  const levels = levelsOf(file, nodeSize, recordSize, depth);
  const seen = new Set<number>();
  yield* readNode(file, { at: root, used, level: depth }, { levels, recordSize, nodeSize, type, seen });
};

const levelsOf = (file: Hdf5, nodeSize: number, recordSize: number, depth: number): Level[] => {
  const records = Math.floor((nodeSize - OVERHEAD) / recordSize);
  const levels: Level[] = [{ records, total: records, totalWidth: 0 }];
  const width = widthOf(records);
  for (let level = 1; level <= depth; level++) {
    const below = levels[level - 1] ?? { records: 0, total: 0, totalWidth: 0 };
    const pointer = file.addressSize + width + below.totalWidth;
    const own = Math.max(0, Math.floor((nodeSize - OVERHEAD - pointer) / (recordSize + pointer)));
    const total = Math.min(Number.MAX_SAFE_INTEGER, (own + 1) * below.total + own);
    levels.push({ records: own, total, totalWidth: widthOf(total) });
  }
  return levels;
};

type Shape = {
  readonly levels: readonly Level[];
  readonly recordSize: number;
  readonly nodeSize: number;
  readonly type: number;
  readonly seen: Set<number>;
};
type Node = { readonly at: number; readonly used: number; readonly level: number };

const readNode = function* (file: Hdf5, { at, used, level }: Node, shape: Shape): Generator<Cursor> {
  if (shape.seen.has(at)) invalid('a tree leads back to itself', at);
  shape.seen.add(at);
  within('nodes of a tree', shape.seen.size, NODES);
  if (used > (shape.levels[level]?.records ?? 0)) invalid('a node holds more records than it has room for', at);
  const cursor = cursorAt(file, at);
  signature(cursor, level === 0 ? 'BTLF' : 'BTIN');
  cursor.skip(1);
  if (cursor.u8() !== shape.type) invalid('a node of a tree is of another type', at);
  for (let index = 0; index < used; index++) {
    file.context.budget.spend('steps', 1);
    yield cursorIn(file, cursor.position, shape.recordSize);
    cursor.skip(shape.recordSize);
  }
  if (level === 0) return;
  const width = widthOf(shape.levels[0]?.records ?? 0);
  const totalWidth = level > 1 ? (shape.levels[level - 1]?.totalWidth ?? 0) : 0;
  for (let index = 0; index <= used; index++) {
    const child = address(file, cursor);
    const records = unsigned(cursor, width);
    cursor.skip(totalWidth);
    if (child === undefined) invalid('a tree leads nowhere', at);
    else yield* readNode(file, { at: child, used: records, level: level - 1 }, shape);
  }
};
