import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';

/** Bytes of the headers (`HeaderPlain`, `HeaderCompressed`). */
const HEADER = 64;
/** Zeros at the end of each header, and bytes behind packed offsets, all of them 255. */
const [ZEROS, PACKED_ZEROS, TAIL] = [24, 5, 7];
/** The version of packed links, which stands where a plain file has its number of levels: low and high half. */
const [VERSION_LOW, VERSION_HIGH] = [0xffffff01, 0xffffffff];
/** Points, levels, and neighbours of a point: far beyond what an index in memory may have. */
const [POINTS, LEVELS, M] = [2 ** 31, 256, 65_536];
/** Bytes of a level, a point, a neighbour, an offset, and of a point where searches begin. */
const [LEVEL, POINT, OFFSET, ENTRY] = [8, 4, 8, 12];
/** Bytes of one part of a file that is read at once. */
const PART = 512 * MIB;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant graph: ${message}`, { offset });
};

/** Whether it begins like packed links, plain links, or the description of a graph. */
const kindOf = (head: Uint8Array, source: RandomAccess): 'packed' | 'plain' | 'graph' | undefined => {
  if (head.length < HEADER) return undefined;
  const { size } = source;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const [low, high] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (low === VERSION_LOW && high === VERSION_HIGH) return 'packed';
  const small = (at: number): number => (view.getUint32(at + 4, true) === 0 ? view.getUint32(at, true) : POINTS);
  const [a, b, c, d, e] = [0, 8, 16, 24, 32].map(small);
  if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined) return undefined;
  const zeros = head.subarray(HEADER - ZEROS, HEADER).every((byte) => byte === 0);
  const links = HEADER + LEVEL * b + POINT * a + 4 * c + e + OFFSET * d;
  if (zeros && a > 0 && b > 0 && b <= LEVELS && e <= 4 && links === size) return 'plain';
  const many = a > 0 && a < M && b >= a && b < M && c < M;
  return many && isGraph(source, 4 * OFFSET + ENTRY * d) ? 'graph' : undefined;
};

/** Whether the second list of beginnings, whose length is at `at`, and one more number fill the file. */
const isGraph = (source: RandomAccess, at: number): boolean => {
  if (at + 2 * OFFSET > source.size) return false;
  const bytes = source.read(at, OFFSET);
  const entries = new DataView(bytes.buffer, bytes.byteOffset, OFFSET).getBigUint64(0, true);
  return BigInt(at + 2 * OFFSET) + entries * BigInt(ENTRY) === BigInt(source.size);
};

/** The graph by which Qdrant finds neighbours (`graph.bin`, `links.bin`, `links_compressed.bin`). */
export const qdrantGraph: Format = {
  name: 'qdrant-graph',
  title: 'Graph of Qdrant (HNSW)',
  recognisedBy:
    'the version of packed links behind the number of points; and of files that nothing else recognises: sizes of a graph that fill the file',
  checks:
    'sizes to the last byte; levels, points and offsets in their order; neighbours of plain links and the beginnings of searches exist; packed neighbours are numbers and are not unpacked',
  references: ['https://github.com/qdrant/qdrant/tree/master/lib/segment/src/index/hnsw_index/graph_links'],
  lastResort: true,
  recognise: (head, source) => kindOf(head, source) !== undefined,
  inspect(source, { budget }): Inspection {
    budget.spend('steps', Math.ceil(source.size / POINT));
    const kind = kindOf(source.read(0, Math.min(HEADER, source.size)), source) ?? invalid('no header', 0);
    const cursor = createCursor(source);
    const details = { packed: readPacked, plain: readPlain, graph: readGraph }[kind](cursor);
    if (cursor.position !== source.size) invalid('bytes behind the graph', cursor.position);
    return { format: 'qdrant-graph', content: 'inert', coverage: complete(source.size), details };
  },
};

const count = (cursor: Cursor, most: number): number => within('points of a graph', cursor.u64(), most);

const expect = (cursor: Cursor, length: number, value: number): void => {
  const at = cursor.position;
  if (cursor.bytes(length).some((byte) => byte !== value)) invalid('bytes that are not used', at);
};

/** Numbers of 32 bits, each below `below`. */
const expectPoints = (cursor: Cursor, points: number, below: number): void => {
  const at = cursor.position;
  const bytes = cursor.bytes(within('bytes of a graph', points * POINT, PART));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset < bytes.length; offset += POINT)
    if (view.getUint32(offset, true) >= below) invalid('a point that does not exist', at + offset);
};

/** Where the offsets of each level begin: the first at 0, none with more than the one below it. */
const readLevels = (cursor: Cursor, levels: number, offsets: number): void => {
  let [before, room] = [0, offsets];
  for (let level = 0; level < levels; level++) {
    const start = cursor.u64();
    const own = start - before;
    if ((level === 0 && start !== 0) || own < 0 || own > room || start >= offsets)
      invalid('levels in another order', cursor.position - LEVEL);
    if (level > 0) room = own;
    before = start;
  }
};

const readPlain = (cursor: Cursor) => {
  const points = count(cursor, POINTS);
  const levels = count(cursor, LEVELS);
  const neighbours = cursor.u64();
  const offsets = cursor.u64();
  const padding = cursor.u64();
  expect(cursor, ZEROS, 0);
  readLevels(cursor, levels, offsets);
  expectPoints(cursor, points, points);
  expectPoints(cursor, neighbours, points);
  expect(cursor, padding, 0);
  let before = 0;
  for (let index = 0; index < offsets; index++) {
    const offset = cursor.u64();
    if (offset < before || (index === 0 && offset !== 0))
      invalid('neighbours in another order', cursor.position - OFFSET);
    before = offset;
  }
  if (before !== neighbours) invalid('neighbours that no point has', cursor.position);
  return { points, levels };
};

const readPacked = (cursor: Cursor) => {
  const points = count(cursor, POINTS);
  cursor.skip(OFFSET);
  const levels = count(cursor, LEVELS);
  const neighbours = cursor.u64();
  const offsets = cursor.u64();
  const [base, delta, log] = [cursor.u8(), cursor.u8(), cursor.u8()];
  const [m, m0] = [count(cursor, M), count(cursor, M)];
  expect(cursor, PACKED_ZEROS, 0);
  if (base < 1 || base > 64 || delta < 1 || delta > 56 || log > 7) invalid('offsets of a width that is none', 40);
  readLevels(cursor, levels, offsets);
  expectPoints(cursor, points, points);
  cursor.skip(neighbours);
  const chunk = Math.ceil((base + delta * (2 ** log - 1)) / 8);
  cursor.skip(chunk * Math.ceil(offsets / 2 ** log));
  expect(cursor, TAIL, 0xff);
  return { points, levels, m, m0 };
};

/** A graph in bincode: how many neighbours, and where searches begin, by levels and by chance. */
const readGraph = (cursor: Cursor) => {
  const [m, m0] = [count(cursor, M), count(cursor, M)];
  cursor.skip(OFFSET);
  for (let list = 0; list < 2; list++) {
    const entries = count(cursor, cursor.remaining() / ENTRY);
    for (let entry = 0; entry < entries; entry++) {
      if (cursor.u32() >= POINTS) invalid('a point that does not exist', cursor.position);
      count(cursor, LEVELS);
    }
  }
  if (cursor.u64() === 0) invalid('searches that begin nowhere', cursor.position);
  return { m, m0 };
};
