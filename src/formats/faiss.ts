import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { type Budget, exceeded, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { complete, type Format, type Inspection, incomplete } from './format.ts';

/** Indexes inside each other: an id map around an inverted file around a quantizer. */
const DEPTH = 8;
/** Dimensions of a vector. */
const DIMENSIONS = 1_000_000;
/** Inverted lists of an index. */
const LISTS = 10_000_000;

/** Kinds that are read (impl/index_write.cpp). */
const FLAT = ['IxFI', 'IxF2', 'IxFl'];
const MAPS = ['IxMp', 'IxM2'];
const INVERTED = ['IwFl'];
const GRAPHS = ['IHNf'];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `FAISS: ${message}`, { offset });
};

const markOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, 4));

/** What was read; a kind that is not known ends the walk. */
type Read = { readonly vectors: number; readonly unknown: string };

/** FAISS indexes: vectors and the structures that find them. */
export const faiss: Format = {
  name: 'faiss',
  title: 'FAISS index',
  begins: [0x49],
  recognisedBy: 'a mark of four letters that begins with Ix, IB, Iw, IH or IV, and binary behind it',
  checks:
    'flat, id map, inverted and graph indexes to the last byte, counts against bytes, neighbours that exist; other kinds are opaque and say so',
  references: ['https://github.com/facebookresearch/faiss/blob/main/faiss/impl/index_write.cpp', 'CWE-129'],
  recognise: (head) =>
    /^I(?:x|B|w|H|V)[A-Za-z0-9]{2}$/.test(markOf(head)) && head.length > 30 && head.subarray(4, 64).includes(0),
  inspect(source, context): Inspection {
    const cursor = createCursor(source);
    const { vectors, unknown } = readIndex(cursor, context.budget, 1);
    if (unknown !== '')
      return {
        format: 'faiss',
        content: 'unknown',
        coverage: incomplete('opaque', 0, source.size, `an index of kind ${unknown} is not read`),
      };
    if (cursor.remaining() > 0) invalid('bytes follow the index', cursor.position);
    return { format: 'faiss', content: 'inert', coverage: complete(source.size), details: { vectors } };
  },
};

type Header = { readonly dimensions: number; readonly vectors: number };

const readHeader = (cursor: Cursor): Header => {
  const at = cursor.position;
  const dimensions = within('FAISS dimensions', cursor.u32(), DIMENSIONS);
  const vectors = cursor.u64();
  cursor.bytes(16);
  const [trained = 0] = cursor.bytes(1);
  const metric = cursor.u32();
  if (trained > 1) invalid('a truth value that is none', at);
  if (metric > 1) cursor.bytes(4);
  return { dimensions, vectors };
};

/** The count of a vector whose elements have `width` bytes, checked against what is left. */
const countOf = (cursor: Cursor, width: number): number =>
  within('FAISS elements', cursor.u64(), Math.floor(cursor.remaining() / width));

const passVector = (cursor: Cursor, width: number): number => {
  const count = countOf(cursor, width);
  cursor.skip(count * width);
  return count;
};

const readIndex = (cursor: Cursor, budget: Budget, depth: number): Read => {
  if (depth > DEPTH) exceeded('FAISS depth', DEPTH);
  budget.spend('steps', 1);
  const at = cursor.position;
  const kind = markOf(cursor.bytes(4));
  const known = [FLAT, MAPS, INVERTED, GRAPHS].some((kinds) => kinds.includes(kind));
  if (!known) return { vectors: 0, unknown: /^[A-Za-z0-9]{4}$/.test(kind) ? kind : 'unknown' };
  const { dimensions, vectors } = readHeader(cursor);
  if (FLAT.includes(kind)) {
    if (BigInt(passVector(cursor, 4)) !== BigInt(dimensions) * BigInt(vectors)) invalid('another number of values', at);
    return { vectors, unknown: '' };
  }
  if (INVERTED.includes(kind)) return readInverted(cursor, { dimensions, vectors }, budget, depth);
  if (GRAPHS.includes(kind)) readGraph(cursor, vectors, budget);
  const inner = readIndex(cursor, budget, depth + 1);
  if (inner.unknown !== '') return inner;
  if (inner.vectors !== vectors) invalid('an index inside has another number of vectors', at);
  if (MAPS.includes(kind) && passVector(cursor, 8) !== vectors) invalid('not as many ids as vectors', at);
  return { vectors, unknown: '' };
};

/** Neighbours are places of vectors, or -1; offsets are places of neighbours. */
const readGraph = (cursor: Cursor, vectors: number, budget: Budget): void => {
  const at = cursor.position;
  passVector(cursor, 8);
  passVector(cursor, 4);
  if (passVector(cursor, 4) !== vectors) invalid('not as many levels as vectors', at);
  const offsets = countOf(cursor, 8);
  if (offsets !== vectors + 1) invalid('not as many offsets as vectors', at);
  budget.spend('steps', offsets >> 2);
  let last = 0;
  for (let index = 0; index < offsets; index++) {
    const offset = cursor.u64();
    if (offset < last) invalid('offsets that go back', at);
    last = offset;
  }
  const neighbours = countOf(cursor, 4);
  if (last !== neighbours) invalid('offsets beyond the neighbours', at);
  budget.spend('steps', neighbours >> 2);
  for (let index = 0; index < neighbours; index++) {
    const place = cursor.i32();
    if (place < -1 || place >= vectors) invalid('a neighbour that does not exist', at);
  }
  const entry = cursor.i32();
  if (entry < -1 || entry >= vectors) invalid('an entry that does not exist', at);
  cursor.bytes(16);
};

const readInverted = (cursor: Cursor, { dimensions, vectors }: Header, budget: Budget, depth: number): Read => {
  const at = cursor.position;
  const lists = within('FAISS lists', cursor.u64(), LISTS);
  cursor.bytes(8);
  const quantizer = readIndex(cursor, budget, depth + 1);
  if (quantizer.unknown !== '') return quantizer;
  const [map = 0] = cursor.bytes(1);
  if (map > 2) invalid('a direct map that is not known', at);
  passVector(cursor, 8);
  if (map === 2) passVector(cursor, 16);
  const kind = markOf(cursor.bytes(4));
  if (kind === 'il00') return { vectors, unknown: '' };
  if (kind !== 'ilar') return { vectors, unknown: 'of lists elsewhere' };
  if (cursor.u64() !== lists || cursor.u64() !== 4 * dimensions) invalid('lists of another shape', at);
  const sizes = readSizes(cursor, lists, budget);
  let total = 0;
  for (const size of sizes) total += size;
  if (total !== vectors) invalid('lists hold another number of vectors', at);
  const bytes = BigInt(total) * BigInt(4 * dimensions + 8);
  if (bytes > BigInt(cursor.remaining()))
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'FAISS: lists end behind the file', { offset: at });
  cursor.skip(Number(bytes));
  return { vectors, unknown: '' };
};

/** Sizes of all lists, or pairs of those that hold something. */
const readSizes = (cursor: Cursor, lists: number, budget: Budget): readonly number[] => {
  const at = cursor.position;
  const kind = markOf(cursor.bytes(4));
  const count = countOf(cursor, 8);
  budget.spend('steps', count);
  const numbers = Array.from({ length: count }, () => cursor.u64());
  if (kind === 'full') return count === lists ? numbers : invalid('not as many sizes as lists', at);
  if (kind !== 'sprs' || count % 2 !== 0) invalid('sizes that are none', at);
  const places = numbers.filter((_, index) => index % 2 === 0);
  if (places.some((place, index) => place >= lists || place <= (places[index - 1] ?? -1)))
    invalid('a list that does not exist', at);
  return numbers.filter((_, index) => index % 2 === 1);
};
