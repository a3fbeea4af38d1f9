import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { type Budget, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { createByteReader } from './archive/byte-reader.ts';
import { complete, type Format, type Inspection } from './format.ts';
import { eachRecord } from './numbers.ts';

/** FASTTEXT_FILEFORMAT_MAGIC_INT32 (src/fasttext.cc) and the versions that its readers take. */
const MAGIC = 0x2f4f16ba;
const VERSIONS: readonly number[] = [11, 12];
/** Numbers of the arguments before the sampling threshold (src/args.cc, Args::save). */
const ARGUMENTS = 12;
/** Places of the dimension, of the kind of model and of the buckets among them. */
const [DIMENSION, MODEL, BUCKETS] = [0, 7, 8];
/** The kind of model that has labels. */
const SUPERVISED = 3;
/** Words and labels; the largest published models have two million. */
const ENTRIES = 50_000_000;
/** Bytes of one word. */
const WORD = 64 * 1024;
/** Centroids of a product quantizer (src/productquantizer.h, ksub_). */
const CENTROIDS = 256;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `fastText: ${message}`, { offset });
};

type Shape = { readonly rows: number; readonly columns: number };
type Dictionary = { readonly words: number; readonly labels: number; readonly pruned: number; readonly at: number };

/** fastText models: arguments, words and labels, two matrices of numbers. */
export const fasttext: Format = {
  name: 'fasttext',
  title: 'fastText model',
  begins: [0xba],
  recognisedBy: 'the magic number 0x2F4F16BA and a version behind it',
  checks:
    'counts against bytes, every word ends, matrices have the rows that words, labels and buckets need, plain or quantised, to the last byte',
  references: ['https://github.com/facebookresearch/fastText/blob/main/src/fasttext.cc', 'CWE-125'],
  recognise: (head) => head.length >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0, true) === MAGIC,
  inspect(source, { budget }): Inspection {
    const cursor = createCursor(source, 4);
    const version = cursor.u32();
    if (!VERSIONS.includes(version)) invalid('a version that is not known', 4);
    const values = Array.from({ length: ARGUMENTS }, () => cursor.i32());
    cursor.skip(8);
    const [dimension = 0, model, buckets = 0] = [values[DIMENSION], values[MODEL], values[BUCKETS]];
    const dictionary = readDictionary(cursor, budget);
    const { words, labels, pruned, at } = dictionary;
    const quantised = readFlag(cursor);
    const input = readMatrix(cursor, quantised);
    expectPruned(cursor, dictionary, input.rows, budget, at);
    const output = readMatrix(cursor, readFlag(cursor) && quantised);
    const rows = pruned < 0 ? words + buckets : input.rows;
    if (input.rows !== rows || input.rows < words || output.rows !== (model === SUPERVISED ? labels : words))
      invalid('a matrix has other rows than words and labels need', cursor.position);
    if (input.columns !== dimension || output.columns !== dimension) invalid('another dimension', cursor.position);
    if (cursor.remaining() > 0) invalid('bytes follow the model', cursor.position);
    return {
      format: 'fasttext',
      content: 'inert',
      coverage: complete(source.size),
      details: { words, labels, dimension, quantised },
    };
  },
};

const readFlag = (cursor: Cursor): boolean => {
  const value = cursor.u8();
  return value > 1 ? invalid('a truth value that is none', cursor.position - 1) : value === 1;
};

/** Counts, entries, then the buckets that pruning left (src/dictionary.cc, Dictionary::load). */
const readDictionary = (cursor: Cursor, budget: Budget): Dictionary => {
  const at = cursor.position;
  const [size, words, labels] = [cursor.i32(), cursor.i32(), cursor.i32()];
  cursor.skip(8);
  const kept = cursor.i64();
  if (size < 0 || words < 0 || labels < 0 || words + labels !== size) invalid('counts that do not agree', at);
  within('fastText entries', size, Math.min(ENTRIES, cursor.remaining()));
  budget.spend('steps', size);
  const reader = createByteReader(cursor.source, cursor.position);
  let found = 0;
  for (let entry = 0; entry < size; entry++) {
    for (let length = 0; reader.next() !== 0; length++) within('fastText word bytes', length, WORD);
    for (let byte = 0; byte < 8; byte++) reader.next();
    const kind = reader.next();
    if (kind > 1) invalid('an entry that is neither word nor label', reader.position);
    if (kind === 0) found += 1;
  }
  if (found !== words) invalid('another number of words', at);
  cursor.position = reader.position;
  if (kept > BigInt(cursor.remaining()) / 8n) invalid('more pruned buckets than there are bytes', at);
  const places = cursor.position;
  const pruned = kept < 0n ? -1 : Number(kept);
  cursor.skip(8 * Math.max(0, pruned));
  return { words, labels, pruned, at: places };
};

/** Each bucket that is left has a row behind those of the words. */
const expectPruned = (
  cursor: Cursor,
  { words, pruned }: Dictionary,
  rows: number,
  budget: Budget,
  at: number,
): void => {
  eachRecord(cursor.source, { offset: at, count: Math.max(0, pruned), size: 8 }, budget, (view, place) => {
    if (view.getUint32(place + 4, true) >= Math.max(0, rows - words)) invalid('a bucket without its row', at);
  });
};

const readShape = (cursor: Cursor): Shape => {
  const at = cursor.position;
  const [rows, columns] = [cursor.u64(), cursor.u64()];
  if (columns === 0 || rows > cursor.source.size || columns > cursor.source.size)
    invalid('a shape beyond the file', at);
  return { rows, columns };
};

/** Bytes that must be there, counted without rounding. */
const pass = (cursor: Cursor, ...factors: readonly number[]): void => {
  const bytes = factors.reduce((product, factor) => product * BigInt(factor), 1n);
  if (bytes > BigInt(cursor.remaining()))
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'fastText: a matrix ends behind the file', {
      offset: cursor.position,
    });
  cursor.skip(Number(bytes));
};

/** src/densematrix.cc and src/quantmatrix.cc. */
const readMatrix = (cursor: Cursor, quantised: boolean): Shape => {
  if (!quantised) {
    const shape = readShape(cursor);
    pass(cursor, shape.rows, shape.columns, 4);
    return shape;
  }
  const normed = readFlag(cursor);
  const shape = readShape(cursor);
  const codes = cursor.u32();
  pass(cursor, codes);
  const parts = readQuantizer(cursor, shape.columns);
  if (codes !== parts * shape.rows) invalid('not as many codes as rows need', cursor.position);
  if (normed) {
    pass(cursor, shape.rows);
    readQuantizer(cursor, 1);
  }
  return shape;
};

/** Dimension, parts, their width and that of the last one; then the centroids (src/productquantizer.cc). */
const readQuantizer = (cursor: Cursor, dimension: number): number => {
  const at = cursor.position;
  const [size, parts, width, last] = [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
  if (size !== dimension || parts === 0 || last === 0 || last > width || (parts - 1) * width + last !== size)
    invalid('a quantizer of another shape', at);
  pass(cursor, size, CENTROIDS, 4);
  return parts;
};
