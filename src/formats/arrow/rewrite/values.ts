import { WeighbridgeError } from '../../../errors.ts';
import { PAGE } from '../decompress.ts';
import { type PageReader, readDeltaLengths, readDeltaStrings, readHybrid, readPlain, u32 } from '../encodings.ts';
import { readWideDeltas } from './deltas.ts';
import { createOut } from './out.ts';

/** Physical types of parquet.thrift. */
export const PHYSICAL = { boolean: 0, int32: 1, int64: 2, int96: 3, float: 4, double: 5, bytes: 6, fixed: 7 } as const;
/** Encodings of parquet.thrift. */
export const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  hybrid: 3,
  deltas: 5,
  deltaLengths: 6,
  deltaStrings: 7,
  dictionary: 8,
  split: 9,
} as const;

/** Whether a page of this encoding holds numbers of entries of the dictionary. */
export const isIndexed = (encoding: number): boolean =>
  encoding === ENCODING.dictionary || encoding === ENCODING.plainDictionary;

/** Bytes of a value of a physical type, or undefined where they differ or are bits. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [PHYSICAL.int32, 4],
  [PHYSICAL.int64, 8],
  [PHYSICAL.int96, 12],
  [PHYSICAL.float, 4],
  [PHYSICAL.double, 8],
]);

/** What the values of a column are. `width` of a fixed array is in bytes. */
export type Kind = { readonly physical: number; readonly width: number };

/** The values of a page, apart from each other. */
export type Values =
  | { readonly form: 'cells'; readonly cells: readonly Uint8Array[] }
  | { readonly form: 'fixed'; readonly width: number; readonly bytes: Uint8Array }
  | { readonly form: 'bits'; readonly bits: Uint32Array }
  | { readonly form: 'indices'; readonly indices: Uint32Array };

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`);
};

/** `count` values of a page behind its levels. Throws FORMAT_INVALID for an encoding that this type has not. */
export const readValues = (reader: PageReader, encoding: number, kind: Kind, count: number): Values => {
  const values = count === 0 ? nothing(encoding, kind) : decoded(reader, encoding, kind, count);
  if (lengthOf(values) !== count) invalid('a page has another number of values than its levels');
  return values;
};

const nothing = (encoding: number, { physical, width }: Kind): Values => {
  if (isIndexed(encoding)) return { form: 'indices', indices: new Uint32Array() };
  if (physical === PHYSICAL.boolean) return { form: 'bits', bits: new Uint32Array() };
  if (physical === PHYSICAL.bytes) return { form: 'cells', cells: [] };
  return { form: 'fixed', width: WIDTHS.get(physical) ?? width, bytes: new Uint8Array() };
};

const decoded = (reader: PageReader, encoding: number, kind: Kind, count: number): Values => {
  const { physical } = kind;
  const isBytes = physical === PHYSICAL.bytes;
  const fixed = WIDTHS.get(physical) ?? (physical === PHYSICAL.fixed ? kind.width : undefined);
  if (isIndexed(encoding)) {
    const width = reader.bytes[reader.at++] ?? invalid('a page ends early');
    return { form: 'indices', indices: readHybrid(reader, width, count) };
  }
  if (encoding === ENCODING.plain) {
    if (isBytes) return { form: 'cells', cells: readPlain(reader, count) };
    if (fixed !== undefined) return { form: 'fixed', width: fixed, bytes: take(reader, count * fixed) };
    if (physical === PHYSICAL.boolean)
      return { form: 'bits', bits: unpackBits(take(reader, Math.ceil(count / 8)), count) };
  }
  if (encoding === ENCODING.hybrid && physical === PHYSICAL.boolean) {
    u32(reader);
    return { form: 'bits', bits: readHybrid(reader, 1, count) };
  }
  if (encoding === ENCODING.deltas && (physical === PHYSICAL.int32 || physical === PHYSICAL.int64)) {
    const width = physical === PHYSICAL.int32 ? 4 : 8;
    return { form: 'fixed', width, bytes: readWideDeltas(reader, width) };
  }
  if (encoding === ENCODING.deltaLengths && isBytes) return { form: 'cells', cells: readDeltaLengths(reader) };
  if (encoding === ENCODING.deltaStrings && isBytes) return { form: 'cells', cells: readDeltaStrings(reader, PAGE) };
  if (encoding === ENCODING.deltaStrings && physical === PHYSICAL.fixed)
    return { form: 'fixed', width: kind.width, bytes: sameWidth(readDeltaStrings(reader, PAGE), kind.width) };
  if (encoding === ENCODING.split && fixed !== undefined && physical !== PHYSICAL.int96)
    return { form: 'fixed', width: fixed, bytes: gathered(take(reader, count * fixed), fixed, count) };
  return invalid(`encoding ${encoding} of type ${physical}`);
};

const take = (reader: PageReader, length: number): Uint8Array => {
  if (length > reader.bytes.length - reader.at) invalid('a page ends early');
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
};

const unpackBits = (packed: Uint8Array, count: number): Uint32Array =>
  Uint32Array.from({ length: count }, (_, index) => ((packed[index >> 3] ?? 0) >> (index & 7)) & 1);

const sameWidth = (cells: readonly Uint8Array[], width: number): Uint8Array => {
  const out = new Uint8Array(cells.length * width);
  for (const [index, cell] of cells.entries()) {
    if (cell.length !== width) invalid('a cell of another width');
    out.set(cell, index * width);
  }
  return out;
};

/** Values whose first bytes stand together, then their second bytes, and so on (BYTE_STREAM_SPLIT). */
const gathered = (streams: Uint8Array, width: number, count: number): Uint8Array => {
  const out = new Uint8Array(streams.length);
  for (let byte = 0; byte < width; byte++)
    for (let index = 0; index < count; index++) out[index * width + byte] = streams[byte * count + index] ?? 0;
  return out;
};

const lengthOf = (values: Values): number => {
  if (values.form === 'cells') return values.cells.length;
  if (values.form === 'bits') return values.bits.length;
  if (values.form === 'indices') return values.indices.length;
  return values.width === 0 ? 0 : values.bytes.length / values.width;
};

/** The values at `places` (ascending), PLAIN. */
export const writeValues = (values: Values, places: Uint32Array): Uint8Array => {
  if (values.form === 'cells') {
    const out = createOut();
    for (const place of places) {
      const cell = values.cells[place] ?? invalid('a value that is not there');
      out.u32(cell.length);
      out.bytes(cell);
    }
    return out.finish();
  }
  if (values.form === 'bits') {
    const out = new Uint8Array(Math.ceil(places.length / 8));
    for (const [index, place] of places.entries())
      out[index >> 3] = (out[index >> 3] ?? 0) | ((values.bits[place] ?? 0) << (index & 7));
    return out;
  }
  if (values.form === 'indices') return invalid('indices are not values');
  const { bytes, width } = values;
  const out = new Uint8Array(places.length * width);
  for (const [index, place] of places.entries())
    out.set(bytes.subarray(place * width, (place + 1) * width), index * width);
  return out;
};
