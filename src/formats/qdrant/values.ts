import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { checkUtf8 } from '../../bytes/utf8.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { type Companion, type Context, complete, type Format, type Inspection } from '../format.ts';
import { createValues, type Values } from '../rocksdb/values.ts';
import { bitsOf } from './numbers.ts';

/** Bytes of one file: it is read as a whole. */
const BYTES = 1024 * MIB;
/** Bytes that the beginning is filled up to, of the header of a map, and of one of a list. */
const [PADDED, MAP, LIST] = [4096, 24, 16];
/** Kinds of keys (`Key::NAME`), and on what multiple they begin. */
const KEYS: ReadonlyMap<string, number> = new Map([
  ['str\0\0\0\0\0', 1],
  ['i64\0\0\0\0\0', 8],
  ['u128\0\0\0\0', 16],
]);
/** What ends a text among keys. */
const END = 0xff;
/** Bytes of a bucket, of a number of a point, of a range, and of the length of a text. */
const [BUCKET, POINT, RANGE, LENGTH] = [8, 4, 16, 4];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant values: ${message}`, { offset });
};

const nameOf = (head: Uint8Array): string => String.fromCharCode(...head.subarray(0, 8));

/** Whether it begins like the list of the values of each point: ranges from the first boundary on, for at least one. */
const isList = (head: Uint8Array, size: number): boolean => {
  if (head.length < PADDED || size < PADDED + RANGE) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const points = Number(view.getBigUint64(8, true));
  if (view.getBigUint64(0, true) !== BigInt(PADDED) || points === 0 || points > (size - PADDED) / RANGE) return false;
  return head.subarray(LIST).every((byte) => byte === 0);
};

/** Which points have a value (`values_to_points.bin`, `vocab.dat`), and which values a point has (`point_to_values.bin`). */
export const qdrantValues: Format = {
  name: 'qdrant-values',
  title: 'Indexed values of Qdrant',
  recognisedBy:
    'the kind of its keys at the start and entries at a boundary of 4 KiB; or ranges from the first boundary on',
  checks:
    'entries to the last byte, each of them once in the buckets; ranges one behind the other; texts against the rules for data; bits of the hash function are not read',
  references: [
    'https://github.com/qdrant/qdrant/tree/master/lib/common/common/src/persisted_hashmap',
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/index/field_index/on_disk_point_to_values.rs',
  ],
  recognise: (head, source) => (source.size >= PADDED && KEYS.has(nameOf(head))) || isList(head, source.size),
  inspect(source, context): Inspection {
    const bytes = source.read(0, within('bytes of values', source.size, BYTES));
    const values = createValues(context);
    const alignment = KEYS.get(nameOf(bytes));
    const points = alignment === undefined ? readList(source, bytes, values, context) : 0;
    if (alignment !== undefined) readMap(source, bytes, alignment, values, context);
    const { content, rows, count } = values.finish();
    return {
      format: 'qdrant-values',
      content,
      coverage: complete(source.size),
      ...(count === 0 ? {} : { rows }),
      details: { texts: count },
      ...(points === 0 ? {} : { companions: [deleted(points)] }),
    };
  },
};

/** A bit for each point that lost its values lies beside them. */
const deleted = (points: number): Companion => ({
  names: ['deleted.bin'],
  sameStem: false,
  size: bitsOf(points),
  fixed: [],
});

const NOTHING = new Uint8Array(0);
const aligned = (at: number, to: number): number => Math.ceil(at / to) * to;

const expectZeros = (bytes: Uint8Array, start: number, end: number): void => {
  if (end > bytes.length || bytes.subarray(start, end).some((byte) => byte !== 0))
    invalid('bytes that no entry has', start);
};

/** A map: a hash function, buckets that say where entries begin, entries of a key and the numbers of points. */
const readMap = (
  source: RandomAccess,
  bytes: Uint8Array,
  alignment: number,
  values: Values,
  { budget }: Context,
): void => {
  const cursor = createCursor(source, 8);
  const [buckets, count] = [cursor.u64(), cursor.u64()];
  const first = buckets + BUCKET * count;
  // The function takes some three bits for each key.
  const room = aligned(MAP + 64 + 2 * count, PADDED) + alignment;
  if (buckets < PADDED || buckets > room || first > source.size) invalid('buckets that lie elsewhere', 8);
  cursor.position = buckets;
  const starts = Array.from({ length: count }, () => cursor.u64());
  const found = new Set<number>();
  cursor.position = first;
  while (cursor.position < source.size) {
    budget.spend('steps', 1);
    const start = aligned(cursor.position - first, alignment);
    expectZeros(bytes, cursor.position, first + start);
    cursor.position = first + start;
    found.add(start);
    readKey(bytes, cursor, alignment, values);
    const points = cursor.u32();
    if (points > cursor.remaining() / POINT) invalid('more points than there are', cursor.position - POINT);
    cursor.skip(points * POINT);
  }
  if (found.size !== count || starts.some((start) => !found.has(start))) invalid('buckets of other entries', buckets);
};

const readKey = (bytes: Uint8Array, cursor: Cursor, alignment: number, values: Values): void => {
  const at = cursor.position;
  if (alignment > 1) {
    cursor.skip(alignment);
    return;
  }
  const end = bytes.indexOf(END, at);
  if (end < 0) invalid('a text without its end', at);
  values.add(bytes.subarray(at, end), NOTHING, at);
  const behind = at + aligned(end + 1 - at, POINT);
  expectZeros(bytes, end + 1, behind);
  cursor.position = behind;
};

/** A list: for each point where its values begin and how many there are; then the values, texts or numbers. */
const readList = (source: RandomAccess, bytes: Uint8Array, values: Values, { budget }: Context): number => {
  const cursor = createCursor(source, 8);
  const points = cursor.u64();
  budget.spend('steps', points);
  let begin = PADDED + RANGE * points;
  cursor.position = PADDED;
  const ranges: { start: number; end: number; count: number }[] = [];
  for (let point = 0; point < points; point++) {
    const [start, count] = [cursor.u64(), cursor.u64()];
    // Points without values have ranges of nothing, wherever they begin.
    if (count === 0) continue;
    const before = ranges.at(-1);
    if (start < begin || start > source.size || (before === undefined && start !== begin))
      invalid('a range elsewhere', cursor.position);
    if (before !== undefined) before.end = start;
    ranges.push({ start, end: source.size, count });
    begin = start + 1;
  }
  if (ranges.length === 0 && cursor.position !== source.size) invalid('values of no point', cursor.position);
  const texts = ranges.every(({ start, end, count }) => isTexts(bytes, start, end, count));
  for (const { start, end, count } of ranges) {
    const width = (end - start) / count;
    if (texts) showTexts(bytes, start, end, values);
    else if (width !== 8 && width !== 16) invalid('values of no known width', start);
  }
  return points;
};

const lengthAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 2 ** 8 + (bytes[at + 2] ?? 0) * 2 ** 16 + (bytes[at + 3] ?? 0) * 2 ** 24;

const isTexts = (bytes: Uint8Array, start: number, end: number, count: number): boolean => {
  let at = start;
  for (let text = 0; text < count; text++) {
    const behind = at + LENGTH + lengthAt(bytes, at);
    if (at + LENGTH > end || behind > end || !isUtf8(bytes.subarray(at + LENGTH, behind))) return false;
    at = behind;
  }
  return at === end;
};

const showTexts = (bytes: Uint8Array, start: number, end: number, values: Values): void => {
  for (let at = start; at < end; at += LENGTH + lengthAt(bytes, at))
    values.add(bytes.subarray(at + LENGTH, at + LENGTH + lengthAt(bytes, at)), NOTHING, at);
};

const isUtf8 = (bytes: Uint8Array): boolean => {
  try {
    checkUtf8(bytes);
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};
