import { MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Format, type Inspection, worseContent } from '../format.ts';
import { createValues } from '../rocksdb/values.ts';
import { cborEnd } from './cbor-end.ts';
import { lz4Value } from './lz4-value.ts';

/** Bytes of one page, which is made whole before the first value: writers take 32 MiB. */
const PAGE = 64 * MIB;
/** Bytes of one value, and of all payloads of a page together, once they are not packed. */
const [VALUE, PAYLOADS] = [16 * MIB, 256 * MIB];
/** Values begin on a multiple of this: blocks have 8 bytes where all values are numbers, and 16 or more elsewhere. */
const BLOCK = 16;
/** Bytes of which a page of lists has a multiple. */
const ROOM = 65_536;
/** Bytes of the room that a page has at least. */
const SMALLEST = 8192;
/** Bytes of a length, and bytes that are looked at for zeros at once. */
const [LENGTH, WINDOW] = [4, 65_536];
/** Numbers of one sparse vector, bytes of their count, and exponents that weights have: 2^-64 to 2^40. */
const [DIMENSIONS, COUNT, LOWEST, HIGHEST] = [65_536, 8, 127 - 64, 127 + 40];
/** Degrees of a place, and the parts of one that are told apart: numbers of vectors look like less. */
const [DEGREES, PARTS] = [180, 2 ** 14];
const NOTHING = new Uint8Array(0);
/** The beginning of an object in JSON. */
const OBJECT = 0x7b;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant page: ${message}`, { offset });
};

type Value = {
  readonly kind: 'payload' | 'list' | 'vector' | 'place';
  readonly bytes: Uint8Array;
  readonly end: number;
};

/** The value that begins at `at`: a payload in LZ4 behind its length, or a list of texts in CBOR. */
const valueAt = (page: Uint8Array, at: number): Value | undefined => {
  if (at + LENGTH >= page.length) return undefined;
  const size = new DataView(page.buffer, page.byteOffset + at, LENGTH).getUint32(0, true);
  const packed = size >= 2 && size <= VALUE ? lz4Value(page, at + LENGTH, size) : undefined;
  if (packed?.bytes[0] === OBJECT) return { kind: 'payload', ...packed };
  const vector = vectorEnd(page, at);
  if (vector !== undefined) return { kind: 'vector', bytes: NOTHING, end: vector };
  const end = cborEnd(page, at);
  if (end !== undefined) return { kind: 'list', bytes: page.subarray(at, end), end };
  return isPlace(page, at) ? { kind: 'place', bytes: NOTHING, end: at + BLOCK } : undefined;
};

/** Where a sparse vector ends: packed dimensions behind the number of their bytes, numbers behind theirs. */
const vectorEnd = (page: Uint8Array, at: number): number | undefined => {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const count = (place: number): number =>
    place + COUNT <= page.length && view.getUint32(place + 4, true) === 0 ? view.getUint32(place, true) : 0;
  const packed = count(at);
  const numbers = packed === 0 || packed > DIMENSIONS * 4 ? 0 : count(at + COUNT + packed);
  const start = at + 2 * COUNT + packed;
  const end = start + 4 * numbers;
  // A dimension takes four bytes at most, and so many a header.
  if (numbers === 0 || numbers > DIMENSIONS || end > page.length || packed > 4 * numbers + BLOCK) return undefined;
  for (let place = start; place < end; place += 4) {
    const bits = view.getUint32(place, true);
    const exponent = (bits >>> 23) & 0xff;
    if (exponent < LOWEST || exponent > HIGHEST) return undefined;
  }
  return end;
};

/** Whether a place on the earth stands at `at`: two numbers of 64 bits, in degrees. */
const isPlace = (page: Uint8Array, at: number): boolean => {
  if (at + BLOCK > page.length) return false;
  const view = new DataView(page.buffer, page.byteOffset + at, BLOCK);
  return [view.getFloat64(0, true), view.getFloat64(8, true)].every(
    (degrees) => degrees === 0 || (Math.abs(degrees) <= DEGREES && Math.abs(degrees) > 1 / PARTS),
  );
};

/** Whether places, or nothing, stand in every block. */
const arePlaces = (head: Uint8Array): boolean => {
  for (let at = 0; at < head.length; at += BLOCK) if (!isPlace(head, at)) return false;
  return true;
};

/** Whether nothing but zeros is in the file; the first other byte ends the search. */
const isRoom = (source: RandomAccess): boolean => {
  for (let at = 0; at < source.size; at += WINDOW)
    if (source.read(at, Math.min(WINDOW, source.size - at)).some((byte) => byte !== 0)) return false;
  return true;
};

/**
 * Pages of Gridstore (`page_0.dat`), in which Qdrant keeps payloads and lists of keywords; and the room that it makes
 * ahead for these and other files.
 */
export const qdrantPage: Format = {
  name: 'qdrant-page',
  title: 'Page of values of Qdrant (Gridstore)',
  recognisedBy:
    'a payload in LZ4 behind its length at the start, a sparse vector; in a page with room at its end a list in CBOR or a place; or zeros alone, 8 KiB and more of them',
  checks:
    'values and the zeros between them to the last byte: payloads are inspected together as lines of JSON, lists of texts in CBOR against the rules for data; sparse vectors have numbers of a size that vectors have; what is left of values that were replaced is not read',
  references: [
    'https://github.com/qdrant/qdrant/tree/master/lib/blobstore',
    'https://qdrant.tech/articles/gridstore-key-value-storage/',
  ],
  recognise(head, source, provisional) {
    if (provisional === true || source.size < SMALLEST || source.size > PAGE) return false;
    if (head[0] === 0 && head.every((byte) => byte === 0)) return isRoom(source);
    const kind = valueAt(source.read(0, Math.min(source.size, VALUE)), 0)?.kind;
    if (kind === 'payload' || kind === 'vector') return true;
    // Lists and places say little by themselves: they stand in a page whose end is not used yet.
    const room = source.size % ROOM === 0 && isRoom(section(source, source.size - SMALLEST, source.size));
    return room && (kind === 'list' || (kind === 'place' && arePlaces(head)));
  },
  inspect(source, context): Inspection {
    const page = source.read(0, within('bytes of a page', source.size, PAGE));
    const values = createValues(context);
    const payloads: Uint8Array[] = [];
    let [count, total] = [0, 0];
    for (const { kind, bytes, at } of valuesOf(page, context)) {
      count += 1;
      if (kind === 'list') values.add(NOTHING, bytes, at);
      if (kind === 'payload') {
        total = within('bytes of payloads', total + bytes.length + 1, PAYLOADS);
        payloads.push(bytes);
      }
    }
    const { content, rows } = values.finish();
    const own = { format: 'qdrant-page', content, coverage: complete(source.size), details: { values: count } };
    if (payloads.length === 0) return { ...own, ...(count === 0 ? {} : { rows }) };
    return withPayloads(own, context.nested(fromBytes(joined(payloads, total)), 'payloads'), source.size);
  },
};

/** The page with what was found in its payloads. */
const withPayloads = (own: Inspection, { coverage, content }: Inspection, size: number): Inspection => ({
  ...own,
  content: worseContent(own.content, content),
  coverage: coverage.state === 'complete' ? complete(size) : { ...coverage, bytesInspected: 0, bytesTotal: size },
});

const valuesOf = function* (page: Uint8Array, { budget }: Context): Generator<Value & { readonly at: number }> {
  for (let at = nextValue(page, 0); at < page.length; ) {
    budget.spend('steps', 1);
    const value = valueAt(page, at) ?? invalid('bytes that are no value', at);
    budget.spend('bytesInflated', value.bytes.length);
    yield { ...value, at };
    at = nextValue(page, value.end);
  }
};

/** Where the next value begins: at the beginning of the block whose byte is the first that is not zero. */
const nextValue = (page: Uint8Array, from: number): number => {
  let at = from;
  while (at < page.length && page[at] === 0) at += 1;
  if (at === page.length) return at;
  const start = Math.floor(at / BLOCK) * BLOCK;
  return start >= from ? start : invalid('bytes that no value has', at);
};

const joined = (parts: readonly Uint8Array[], size: number): Uint8Array => {
  const lines = new Uint8Array(size).fill(0x0a);
  let at = 0;
  for (const part of parts) {
    lines.set(part, at);
    at += part.length + 1;
  }
  return lines;
};
