import { Decompress } from 'fzstd';
import { MIB, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import type { Sink } from '../archive/sink.ts';
import { endsWithNode } from '../ocdbt/ending.ts';
import { type CompressedFormat, compressedFormat } from './stream.ts';
import { xxh64 } from './xxh64.ts';

const MAGIC = 0xfd2fb528;
/** Sixteen magics of frames that decoders skip. */
const SKIPPABLE = 0x184d2a50;
/** Window that a frame may ask for: what `zstd -d` accepts without a flag. */
const WINDOW_LIMIT = 128 * MIB;
/** Bytes of one block, on either side (RFC 8878, 3.1.1.2). */
const BLOCK_LIMIT = 128 * 1024;
/** Content whose checksum is computed; 64-bit arithmetic is slow here. */
const CHECKED = 32 * MIB;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `zstd: ${message}`);
};

const little = (input: ByteReader, bytes: number): number => {
  let value = 0;
  for (let i = 0; i < bytes; i += 1) value += input.next() * 2 ** (8 * i);
  return value;
};

type FrameHeader = { readonly declared: number | undefined; readonly checked: boolean };

/** Frame header (RFC 8878, 3.1.1.1), with the magic. */
const readHeader = (input: ByteReader): FrameHeader => {
  if (input.u32() !== MAGIC) invalid('no frame');
  const descriptor = input.next();
  if ((descriptor & 8) !== 0) invalid('a reserved bit is set');
  const single = (descriptor & 0x20) !== 0;
  if (!single) {
    const window = input.next();
    const base = 2 ** (10 + (window >>> 3));
    within('zstd window', base + (base / 8) * (window & 7), WINDOW_LIMIT);
  }
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  if (little(input, dictionaryBytes) !== 0) invalid('a dictionary is needed that the file does not hold');
  const kind = descriptor >>> 6;
  const sizeBytes = kind === 0 ? Number(single) : 2 ** kind;
  const declared = sizeBytes === 0 ? undefined : little(input, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  if (single) within('zstd window', declared ?? 0, WINDOW_LIMIT);
  return { declared, checked: (descriptor & 4) !== 0 };
};

/** Passes over the blocks of a frame; the input then stands behind the last. */
const skipBlocks = (input: ByteReader): void => {
  for (let last = false; !last; ) {
    const header = little(input, 3);
    last = (header & 1) === 1;
    const kind = (header >>> 1) & 3;
    const size = header >>> 3;
    if (kind === 3) invalid('reserved block type');
    if (size > BLOCK_LIMIT) invalid('a block is too large');
    input.bytes(kind === 1 ? 1 : size);
  }
};

const decompress = (frame: Uint8Array, sink: Sink): void => {
  const stream = new Decompress((chunk) => sink.append(chunk));
  try {
    stream.push(frame, false);
  } catch (error) {
    // The package throws plain errors (and RangeErrors on streams that lie about lengths); limits of the sink pass.
    if (error instanceof WeighbridgeError) throw error;
    invalid('the stream is damaged');
  }
};

/** Passes over one frame without decompressing it; the input then stands behind it. */
export const skipZstd = (input: ByteReader): void => {
  const { checked } = readHeader(input);
  skipBlocks(input);
  if (checked) input.u32();
};

/** The content of the first block of a frame, as far as `bytes` hold it; empty when it is broken. */
export const beginningOf = (bytes: Uint8Array): Uint8Array => {
  let first = new Uint8Array(0);
  const stream = new Decompress((chunk) => {
    if (first.length === 0) first = chunk.slice();
  });
  try {
    stream.push(bytes, false);
  } catch {
    // The package throws plain errors; what came before the break is what a reader gets.
  }
  return first;
};

/** One frame from `input` into `sink`, with its size and checksum checked; skippable frames give nothing. */
export const decodeZstd = (input: ByteReader, sink: Sink, note: (message: string) => void): void => {
  const start = input.position;
  const magic = input.u32();
  if (magic >>> 4 === SKIPPABLE >>> 4) {
    input.bytes(input.u32());
    return;
  }
  input.position = start;
  const { declared, checked } = readHeader(input);
  skipBlocks(input);
  const length = input.position - start;
  input.position = start;
  // The package waits for 18 bytes before it begins; bytes behind the last block do not change what it gives.
  const frame = new Uint8Array(Math.max(length, 18));
  frame.set(input.bytes(length));
  const begin = sink.length;
  decompress(frame, sink);
  const content = sink.bytes.subarray(begin, sink.length);
  if (declared !== undefined && declared !== content.length) invalid('the size is wrong');
  if (!checked) {
    note('the frame has no checksum: what was decompressed could not be verified');
    return;
  }
  const sum = input.u32();
  if (content.length > CHECKED) note('the checksum of a large frame was not computed');
  else if (sum !== Number(xxh64(content) & 0xffffffffn)) invalid('the checksum is wrong');
};

const isMagic = (value: number): boolean => value === MAGIC || value >>> 4 === SKIPPABLE >>> 4;

const frames = compressedFormat({
  name: 'zstd',
  title: 'Zstandard',
  begins: [0x28],
  recognisedBy: 'The frame magic 28 B5 2F FD.',
  checks:
    'Frame and block headers, window, sizes and checksum, nothing behind the last frame; the content is inspected.',
  references: ['RFC 8878'],
  recognise: ([a, b, c, d]) => a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd,
  decode: decodeZstd,
  another: (input) => {
    const at = input.position;
    const more = input.end - at >= 4 && isMagic(input.u32());
    input.position = at;
    return more;
  },
  padding: false,
});

/** A data file of an OCDBT store begins with the frame of an array, and is not for decompressors. */
export const zstd: CompressedFormat = {
  ...frames,
  recognise: (head, source, provisional) =>
    frames.recognise(head, source, provisional) && (provisional === true || !endsWithNode(head, source)),
};
