import { createCursor } from '../../bytes/cursor.ts';
import { type Budget, MIB, within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Codec, decompressed, PAGE } from './decompress.ts';
import { type PageReader, readHybrid, u32, VALUES } from './encodings.ts';
import { bigOf, readStruct, structOf, type ThriftStruct } from './thrift.ts';

/** Bytes of a page's header, statistics included. */
const HEADER = 1 * MIB;
/** Bytes that cost one step. */
const BYTES_A_STEP = 64;

/** One column chunk: where its pages lie, how they are compressed, how deep its values nest. */
export type Chunk = {
  readonly start: number;
  readonly end: number;
  readonly codec: number;
  readonly definition: number;
  readonly repetition: number;
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`, { offset });
};

/** Codecs of parquet.thrift that are read. */
export const CODECS: ReadonlyMap<number, Codec> = new Map([
  [0, 'none'],
  [1, 'snappy'],
  [2, 'gzip'],
  [6, 'zstd'],
  [7, 'lz4 block'],
]);

const decompress = (codec: number, bytes: Uint8Array, size: number, offset: number): Uint8Array => {
  const known = CODECS.get(codec);
  if (known !== undefined) return decompressed(known, bytes, size, offset);
  throw new WeighbridgeError('LIMIT_EXCEEDED', `Parquet: compression ${codec} is not read`, { offset });
};

const number = (fields: ThriftStruct, field: number, limit: number): number => {
  const value = Number(bigOf(fields.get(field)));
  if (value < 0) invalid('a negative count', 0);
  return within('Parquet page number', value, limit);
};

/** Bits of the numbers from 0 to `most`. */
export const widthOf = (most: number): number => Math.ceil(Math.log2(most + 1));

/** Types of pages in parquet.thrift. */
export const PAGE_TYPE = { one: 0, index: 1, dictionary: 2, two: 3 } as const;

/** A page where it lies: its header from `start`, its body from `body` to `end`; `size` bytes when it is decompressed. */
export type PageAt = {
  readonly type: number;
  readonly header: ThriftStruct;
  readonly start: number;
  readonly body: number;
  readonly end: number;
  readonly size: number;
};

/** The pages of a column chunk, of which only the headers are read. Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED. */
export const pagesOf = function* (source: RandomAccess, chunk: Chunk, budget: Budget): Generator<PageAt> {
  let at = chunk.start;
  while (at < chunk.end) {
    const cursor = createCursor(section(source, at, Math.min(chunk.end, at + HEADER)));
    const header = readStruct(cursor, () => budget.spend('steps', 1));
    const size = number(header, 2, PAGE);
    const stored = number(header, 3, chunk.end - at - cursor.position);
    const body = at + cursor.position;
    budget.spend('steps', 1 + Math.max(size, stored) / BYTES_A_STEP);
    const type = Number(bigOf(header.get(1)));
    yield { type, header, start: at, body, end: body + stored, size };
    at = body + stored;
  }
};

/** A page of data that was taken apart but for its values. */
export type Page = {
  readonly reader: PageReader;
  readonly count: number;
  readonly encoding: number;
  readonly definitions: Uint32Array | undefined;
  readonly repetitions: Uint32Array | undefined;
  /** Values that are not null. */
  readonly present: number;
};

const present = (definitions: Uint32Array | undefined, count: number, most: number): number =>
  definitions === undefined ? count : definitions.reduce((sum, level) => sum + (level === most ? 1 : 0), 0);

/** The values of a dictionary, as PLAIN has them, and how many there are. */
export const openDictionary = (
  source: RandomAccess,
  { header, body, end, size }: PageAt,
  chunk: Chunk,
): { readonly reader: PageReader; readonly count: number } => ({
  reader: { bytes: decompress(chunk.codec, source.read(body, end - body), size, body), at: 0 },
  count: number(structOf(header.get(7)), 1, VALUES),
});

/** Values of a page of data, nulls included, as its header has it. */
export const countOf = ({ type, header }: PageAt): number =>
  number(structOf(header.get(type === PAGE_TYPE.two ? 8 : 5)), 1, VALUES);

/** A page of data, decompressed, with its levels. */
export const openPage = (source: RandomAccess, page: PageAt, chunk: Chunk): Page =>
  (page.type === PAGE_TYPE.two ? pageTwo : pageOne)(page, source.read(page.body, page.end - page.body), chunk);

/** Version 1: everything is compressed together, levels stand behind their length. */
const pageOne = ({ header, size, body: offset }: PageAt, bytes: Uint8Array, chunk: Chunk): Page => {
  const fields = structOf(header.get(5));
  const count = number(fields, 1, VALUES);
  const reader = { bytes: decompress(chunk.codec, bytes, size, offset), at: 0 };
  const levels = (most: number, encoding: number): Uint32Array | undefined => {
    if (most === 0) return undefined;
    if (encoding !== 3) return invalid('levels in an encoding of the past', offset);
    const end = u32(reader) + reader.at;
    const read = readHybrid(reader, widthOf(most), count);
    reader.at = end;
    return read;
  };
  const repetitions = levels(chunk.repetition, number(fields, 4, 16));
  const definitions = levels(chunk.definition, number(fields, 3, 16));
  const encoding = number(fields, 2, 16);
  return { reader, count, encoding, definitions, repetitions, present: present(definitions, count, chunk.definition) };
};

/** Version 2: levels stand uncompressed before the values. */
const pageTwo = ({ header, size, body: offset }: PageAt, bytes: Uint8Array, chunk: Chunk): Page => {
  const fields = structOf(header.get(8));
  const count = number(fields, 1, VALUES);
  const definitionBytes = number(fields, 5, bytes.length);
  const repetitionBytes = number(fields, 6, bytes.length - definitionBytes);
  const before = definitionBytes + repetitionBytes;
  const levels = (most: number, start: number, end: number): Uint32Array | undefined =>
    most === 0 ? undefined : readHybrid({ bytes: bytes.subarray(start, end), at: 0 }, widthOf(most), count);
  const repetitions = levels(chunk.repetition, 0, repetitionBytes);
  const definitions = levels(chunk.definition, repetitionBytes, before);
  const compressed = fields.get(7) !== false;
  const rest = bytes.subarray(before);
  const plain =
    compressed && rest.length > 0 ? decompress(chunk.codec, rest, Math.max(0, size - before), offset) : rest;
  const reader = { bytes: plain, at: 0 };
  const encoding = number(fields, 4, 16);
  return { reader, count, encoding, definitions, repetitions, present: present(definitions, count, chunk.definition) };
};
