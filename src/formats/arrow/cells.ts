import { createCursor } from '../../bytes/cursor.ts';
import { type Budget, MIB, within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Codec, decompressed, PAGE } from './decompress.ts';
import {
  type PageReader,
  readDeltaLengths,
  readDeltaStrings,
  readHybrid,
  readPlain,
  u32,
  VALUES,
} from './encodings.ts';
import { bigOf, readStruct, structOf, type ThriftStruct } from './thrift.ts';

/** Bytes of a page's header, statistics included. */
const HEADER = 1 * MIB;
/** Bytes that cost one step. */
const BYTES_A_STEP = 64;

/** One column chunk of byte arrays: where its pages lie, how they are compressed, how deep its values nest. */
export type Chunk = {
  readonly start: number;
  readonly end: number;
  readonly codec: number;
  readonly definition: number;
  readonly repetition: number;
};

/** A cell: its bytes and the row of the group that it belongs to. `entry` names the entry of a dictionary. */
export type Cell = { readonly bytes: Uint8Array; readonly row: number; readonly offset: number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`, { offset });
};

/** Codecs of parquet.thrift that are read. */
const CODECS: ReadonlyMap<number, Codec> = new Map([
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

const widthOf = (most: number): number => Math.ceil(Math.log2(most + 1));

/** The cells of a column chunk, page by page. Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED. */
export const cellsOf = function* (source: RandomAccess, chunk: Chunk, budget: Budget): Generator<Cell> {
  let dictionary: readonly Uint8Array[] = [];
  let at = chunk.start;
  let row = -1;
  while (at < chunk.end) {
    const cursor = createCursor(section(source, at, Math.min(chunk.end, at + HEADER)));
    const header = readStruct(cursor, () => budget.spend('steps', 1));
    const type = Number(bigOf(header.get(1)));
    const size = number(header, 2, PAGE);
    const stored = number(header, 3, chunk.end - at - cursor.position);
    const body = at + cursor.position;
    budget.spend('steps', 1 + Math.max(size, stored) / BYTES_A_STEP);
    at = body + stored;
    if (type === 1) continue;
    const bytes = source.read(body, stored);
    if (type === 2) {
      const page = { bytes: decompress(chunk.codec, bytes, size, body), at: 0 };
      dictionary = readPlain(page, number(structOf(header.get(7)), 1, VALUES));
      continue;
    }
    const page = type === 3 ? pageTwo(header, bytes, size, body, chunk) : pageOne(header, bytes, size, body, chunk);
    const values = valuesOf(page, dictionary, body);
    let used = 0;
    for (let index = 0; index < page.count; index++) {
      if (chunk.repetition === 0 || page.repetitions?.[index] === 0) row += 1;
      if (chunk.definition > 0 && page.definitions?.[index] !== chunk.definition) continue;
      const cell = values[used++];
      if (cell !== undefined) yield { bytes: cell, row: Math.max(0, row), offset: body };
    }
  }
};

type Page = {
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

/** Version 1: everything is compressed together, levels stand behind their length. */
const pageOne = (header: ThriftStruct, bytes: Uint8Array, size: number, offset: number, chunk: Chunk): Page => {
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
const pageTwo = (header: ThriftStruct, bytes: Uint8Array, size: number, offset: number, chunk: Chunk): Page => {
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

const valuesOf = ({ reader, encoding, present: count }: Page, dictionary: readonly Uint8Array[], offset: number) => {
  if (count === 0) return [];
  switch (encoding) {
    case 0:
      return readPlain(reader, count);
    case 2:
    case 8: {
      const width = reader.bytes[reader.at++] ?? invalid('a page ends early', offset);
      const indices = readHybrid(reader, width, count);
      return Array.from(indices, (index) => dictionary[index] ?? invalid('an entry that the dictionary lacks', offset));
    }
    case 6:
      return readDeltaLengths(reader);
    case 7:
      return readDeltaStrings(reader, PAGE);
    default:
      return invalid(`encoding ${encoding} of byte arrays`, offset);
  }
};
