import { createBudget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type ByteReader, createByteReader } from '../archive/byte-reader.ts';
import { createSink, type Sink } from '../archive/sink.ts';
import { decodeZlib } from './gzip.ts';
import { decodeBlock } from './lz4.ts';
import { type CompressedFormat, compressedFormat } from './stream.ts';
import { decodeZstd } from './zstd.ts';

/** Bytes of the header of a chunk, and of the place of a block. */
const [HEADER, PLACE] = [16, 4];
/** Bytes that one block becomes: writers stop at 16 MiB. */
const BLOCK = 32 * MIB;
/** Blocks are split into one stream for each byte of an element, if there are not too many and they are not too short. */
const [MOST_STREAMS, LEAST_STREAM] = [16, 128];
/** Bits of the third byte: bytes or bits of elements are stored apart, nothing is compressed, blocks are not split. */
const [BYTES_APART, PLAIN, BITS_APART, DELTA, WHOLE] = [1, 2, 4, 8, 16];
/** Codecs, of which the first and third, which arrays are not written with by default, are not read. */
const [LZ4, ZLIB, ZSTD] = [1, 3, 4];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `blosc: ${message}`, { offset });
};

type Header = {
  readonly flags: number;
  readonly codec: number;
  readonly width: number;
  readonly plain: number;
  readonly block: number;
  readonly packed: number;
};

const headerOf = (bytes: Uint8Array): Header | undefined => {
  if (bytes.length < HEADER) return undefined;
  const [version, inner, flags = 0, width = 0] = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  const [plain, block, packed] = [view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)];
  if (version !== 2 || inner !== 1 || width === 0 || (flags & DELTA) !== 0) return undefined;
  const fits = plain > 0 && block > 0 && block <= plain && packed > HEADER && packed <= plain + HEADER;
  return fits ? { flags, codec: flags >>> 5, width, plain, block, packed } : undefined;
};

/** Elements whose first bytes stand first, then their second ones, put together again. What is over stands as it is. */
const joinBytes = (apart: Uint8Array, width: number): Uint8Array => {
  const elements = Math.floor(apart.length / width);
  const out = apart.slice();
  for (let byte = 0; byte < width; byte++)
    for (let element = 0; element < elements; element++)
      out[element * width + byte] = apart[byte * elements + element] ?? 0;
  return out;
};

/** The same with bits; a block whose elements are no multiple of eight is stored as it is. */
const joinBits = (apart: Uint8Array, width: number): Uint8Array => {
  const elements = Math.floor(apart.length / width);
  const out = apart.slice();
  if (elements % 8 !== 0) return out;
  out.fill(0, 0, elements * width);
  const plane = elements / 8;
  for (let bit = 0; bit < 8 * width; bit++)
    for (let element = 0; element < elements; element++) {
      const at = element * width + (bit >>> 3);
      const value = ((apart[bit * plane + (element >>> 3)] ?? 0) >>> (element & 7)) & 1;
      out[at] = (out[at] ?? 0) | (value << (bit & 7));
    }
  return out;
};

/** One stream of a block, which becomes `wanted` bytes. */
const decodeStream = (codec: number, stream: Uint8Array, wanted: number, into: Sink): void => {
  const begin = into.length;
  if (stream.length === wanted) into.append(stream);
  else if (codec === LZ4) decodeBlock(stream, into, begin);
  else if (codec === ZLIB || codec === ZSTD) {
    const input = createByteReader(fromBytes(stream));
    if (codec === ZLIB) decodeZlib(input, into);
    else decodeZstd(input, into, () => undefined);
    if (input.position !== stream.length) invalid('bytes behind a stream', 0);
  } else invalid('a codec that is not read', 2);
  if (into.length - begin !== wanted) invalid('a stream of another length than was said', 0);
};

const decode = (input: ByteReader, sink: Sink): void => {
  const start = input.position;
  const { flags, codec, width, plain, block, packed } = headerOf(input.bytes(HEADER)) ?? invalid('no chunk', start);
  if ((flags & PLAIN) !== 0) {
    if (packed !== plain + HEADER) invalid('a chunk of another length than was said', start);
    sink.append(input.bytes(plain));
    return;
  }
  within('blosc block bytes', block, BLOCK);
  const blocks = Math.ceil(plain / block);
  let next = HEADER + PLACE * blocks;
  if (next > packed) invalid('more blocks than bytes', start);
  input.position = start;
  const chunk = input.bytes(packed);
  const view = new DataView(chunk.buffer, chunk.byteOffset, packed);
  for (let index = 0; index < blocks; index++) {
    const place = view.getUint32(HEADER + PLACE * index, true);
    // Several threads write blocks in any order; one that begins inside the table, or another chunk, is none.
    if (place < HEADER + PLACE * blocks || place >= packed) invalid('a block outside of its chunk', start);
    const size = Math.min(block, plain - index * block);
    const splits = (flags & WHOLE) === 0 && width <= MOST_STREAMS && block / width >= LEAST_STREAM && size === block;
    const streams = splits ? width : 1;
    const into = createSink(packed, createBudget(), size);
    let at = place;
    for (let stream = 0; stream < streams; stream++) {
      if (at + PLACE > packed) invalid('a stream outside of its chunk', start + at);
      const length = view.getUint32(at, true);
      if (length === 0 || length > packed - at - PLACE) invalid('a stream outside of its chunk', start + at);
      decodeStream(codec, chunk.subarray(at + PLACE, at + PLACE + length), size / streams, into);
      at += PLACE + length;
    }
    next += at - place;
    const apart = into.bytes.subarray(0, size);
    if ((flags & BYTES_APART) !== 0 && width > 1) sink.append(joinBytes(apart, width));
    else sink.append((flags & BITS_APART) !== 0 ? joinBits(apart, width) : apart);
  }
  if (next !== packed) invalid('blocks that share bytes, or bytes between them', start);
};

/** Chunks of arrays that Zarr and others compress with blosc. */
export const blosc: CompressedFormat = {
  ...compressedFormat({
    name: 'blosc',
    title: 'Blosc chunk',
    recognisedBy: 'a header of version 2 that says how long the file is',
    checks:
      'every block and stream to its length (lz4, zlib, zstd), bytes and bits of elements put together again; the content is inspected',
    references: ['https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst'],
    recognise: (head) => headerOf(head) !== undefined,
    decode,
    another: () => false,
    padding: false,
  }),
  begins: [0x02],
  recognise: (head, source) => headerOf(head)?.packed === source.size,
};
