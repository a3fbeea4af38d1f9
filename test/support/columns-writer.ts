import { u32 } from './media-writer.ts';
import { bytes } from './reports.ts';

/** Thrift's compact protocol, as much as a footer needs. */
const text = (value: string): Uint8Array => bytes([Buffer.byteLength(value)], value);

/** A key and a value for a Parquet footer. */
export const pair = (key: string, value: string): Uint8Array => bytes([0x18], text(key), [0x18], text(value), [0]);

/** A row group with one column chunk of `size` bytes at `offset`, both under 64. */
export const group = (offset: number, size: number): Uint8Array =>
  bytes([0x19, 0x1c], [0x3c, 0x76, size * 2, 0x26, offset * 2, 0, 0], [0]);

export const footer = (pairs: readonly Uint8Array[], groups: readonly Uint8Array[] = []): Uint8Array =>
  bytes(
    [0x15, 4, 0x19, 0x1c, 0x48],
    text('schema'),
    [0, 0x16, 2, 0x19, (groups.length << 4) | 0x0c],
    ...groups,
    [0x19, (pairs.length << 4) | 0x0c],
    ...pairs,
    [0x18],
    text('test'),
    [0],
  );

/** A Parquet file of column data and a footer. */
export const parquetFile = (data: string, content: Uint8Array): Uint8Array =>
  bytes('PAR1', data, content, u32(content.length), 'PAR1');

/** A Parquet file without columns. */
export const parquet = (...pairs: readonly Uint8Array[]): Uint8Array => parquetFile('', footer(pairs));

/** An Arrow message: a FlatBuffers table with a body length in its fourth field. */
export const arrowMessage = (body: Uint8Array, extra = ''): Uint8Array => {
  const metadata = new Uint8Array(64);
  metadata.set(u32(24));
  metadata.set([12, 0, 16, 0, 0, 0, 0, 0, 0, 0, 8, 0], 8);
  metadata.set(u32(16), 24);
  metadata.set(u32(body.length), 32);
  metadata.set(bytes(extra), 40);
  return bytes(u32(0xffffffff), u32(64), metadata, body);
};
export const arrowEnd = bytes(u32(0xffffffff), u32(0));

/** One piece of a SentencePiece vocabulary. */
export const piece = (word: string): Uint8Array => {
  const inner = bytes([0x0a, word.length], word, [0x15, 0, 0, 0, 0, 0x18, 1]);
  return bytes([0x0a, inner.length], inner);
};

/** A SentencePiece vocabulary of two pieces. */
export const sentencepieces = bytes(piece('<unk>'), piece('hello'), [0x12, 2, 8, 1], [0x1a, 0]);
