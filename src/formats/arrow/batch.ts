import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type FlatBuffer, scalar, type Table, u32, vectorOf } from '../tflite/flatbuffer.ts';
import { buffersOf, type Field, TYPE, tableIn } from './columns.ts';
import { decompressed, PAGE } from './decompress.ts';

/** Values of one column in one batch. */
const VALUES = 64_000_000;
/** Bytes that cost one step. */
const BYTES_A_STEP = 64;

/** A cell of a batch: its bytes and its row, as far as lists let it be told. */
export type BatchCell = {
  readonly column: string;
  readonly row: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
};

type Span = { readonly offset: number; readonly length: number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Arrow: ${message}`, { offset });
};

/** A 64-bit number that must be a count. */
const long = (buffer: FlatBuffer, at: number): number =>
  within('Arrow 64-bit number', u32(buffer, at) + u32(buffer, at + 4) * 2 ** 32, Number.MAX_SAFE_INTEGER);

/**
 * Cells of text and bytes in one record batch (Message.fbs, RecordBatch) whose body begins at `body`. Throws
 * FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED.
 */
export const cellsOfBatch = function* (
  buffer: FlatBuffer,
  batch: Table,
  fields: readonly Field[],
  source: RandomAccess,
  body: number,
): Generator<BatchCell> {
  const { budget } = buffer.context;
  const nodes = vectorOf(buffer, batch, 1, 16);
  const spans = vectorOf(buffer, batch, 2, 16);
  const compression = tableIn(buffer, batch, 3);
  const codec = compression === undefined ? 'none' : scalar(buffer, compression, 0, 1) === 0 ? 'lz4 frame' : 'zstd';
  const variadic = vectorOf(buffer, batch, 4, 8);
  let node = 0;
  let span = 0;
  let view = 0;

  const nextSpan = (): Span => {
    if (span >= spans.length) invalid('a batch has too few buffers', batch.at);
    const at = spans.at + 16 * span++;
    return { offset: body + long(buffer, at), length: long(buffer, at + 8) };
  };
  const load = ({ offset, length }: Span): Uint8Array => {
    if (length === 0) return new Uint8Array();
    within('bytes of an Arrow buffer', length, PAGE);
    const bytes = source.read(offset, length);
    budget.spend('steps', length / BYTES_A_STEP);
    if (codec === 'none') return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (length < 8) invalid('a compressed buffer without its size', offset);
    const size = view.getBigInt64(0, true);
    if (size === -1n) return bytes.subarray(8);
    if (size < 0n) invalid('a buffer of a negative size', offset);
    budget.spend('steps', Number(size) / BYTES_A_STEP);
    return decompressed(codec, bytes.subarray(8), Number(size), offset);
  };

  const walk = function* (field: Field, rowOf: (index: number) => number): Generator<BatchCell> {
    if (node >= nodes.length) invalid('a batch has too few columns', batch.at);
    const count = within('Arrow values', long(buffer, nodes.at + 16 * node++), VALUES);
    const own = Array.from({ length: buffersOf(field) }, nextSpan);
    if (field.dictionary !== undefined) return;
    switch (field.type) {
      case TYPE.binary:
      case TYPE.utf8:
      case TYPE.largeBinary:
      case TYPE.largeUtf8:
        yield* strings(field, count, own, rowOf);
        return;
      case TYPE.binaryView:
      case TYPE.utf8View:
        yield* views(field, count, own, rowOf);
        return;
      case TYPE.list:
      case TYPE.map:
      case TYPE.largeList: {
        const rows = parents(field.type === TYPE.largeList, count, own, rowOf);
        for (const child of field.children) yield* walk(child, rows);
        return;
      }
      case TYPE.struct:
        for (const child of field.children) yield* walk(child, rowOf);
        return;
      default:
        for (const child of field.children) yield* walk(child, () => 0);
    }
  };

  const offsetsIn = (bytes: Uint8Array, wide: boolean, count: number, at: number): ((index: number) => number) => {
    const width = wide ? 8 : 4;
    if (count > 0 && bytes.length < (count + 1) * width) invalid('too few offsets', at);
    const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return wide ? (index) => Number(data.getBigInt64(8 * index, true)) : (index) => data.getInt32(4 * index, true);
  };

  const strings = function* (field: Field, count: number, own: readonly Span[], rowOf: (index: number) => number) {
    const wide = field.type === TYPE.largeBinary || field.type === TYPE.largeUtf8;
    const offset = own[2]?.offset ?? body;
    const offsets = offsetsIn(load(own[1] ?? { offset, length: 0 }), wide, count, offset);
    const data = load(own[2] ?? { offset, length: 0 });
    for (let index = 0; index < count; index++) {
      const start = offsets(index);
      const end = offsets(index + 1);
      if (start < 0 || end < start || end > data.length) invalid('a cell leaves its buffer', offset);
      if (end > start) yield { column: field.name, row: rowOf(index), bytes: data.subarray(start, end), offset };
    }
  };

  /** Views: sixteen bytes each, with the text itself or a place in one of the buffers that follow. */
  const views = function* (field: Field, count: number, own: readonly Span[], rowOf: (index: number) => number) {
    const offset = own[1]?.offset ?? body;
    const bytes = load(own[1] ?? { offset, length: 0 });
    if (view >= variadic.length) invalid('a batch does not count its views', batch.at);
    const more = within('Arrow buffers', long(buffer, variadic.at + 8 * view++), spans.length);
    const data = Array.from({ length: more }, () => load(nextSpan()));
    if (bytes.length < count * 16) invalid('too few views', offset);
    const view16 = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let index = 0; index < count; index++) {
      const at = 16 * index;
      const length = view16.getInt32(at, true);
      const start = view16.getInt32(at + 12, true);
      const held =
        length <= 12
          ? bytes.subarray(at + 4, at + 4 + length)
          : data[view16.getInt32(at + 8, true)]?.subarray(start, start + length);
      if (length < 0 || held?.length !== length) return invalid('a view leaves its buffer', offset);
      if (length > 0) yield { column: field.name, row: rowOf(index), bytes: held, offset };
    }
  };

  /** The row of each element of lists. */
  const parents = (wide: boolean, count: number, own: readonly Span[], rowOf: (index: number) => number) => {
    const offset = own[1]?.offset ?? body;
    const offsets = offsetsIn(load(own[1] ?? { offset, length: 0 }), wide, count, offset);
    const last = count > 0 ? offsets(count) : 0;
    const rows = new Uint32Array(within('Arrow values', Math.max(0, last), VALUES));
    for (let index = 0; index < count; index++)
      rows.fill(rowOf(index), Math.max(0, offsets(index)), Math.max(0, offsets(index + 1)));
    return (index: number): number => rows[index] ?? 0;
  };

  for (const field of fields) yield* walk(field, (index) => index);
};
