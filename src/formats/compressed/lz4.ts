import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import { xxh32 } from '../archive/checksum.ts';
import type { Sink } from '../archive/sink.ts';
import { compressedFormat } from './stream.ts';

const MAGIC = 0x184d2204;
/** Sixteen magics of frames that decoders skip. */
const SKIPPABLE = 0x184d2a50;
const ENDS = 0;
/** Largest block that a frame may announce. */
const BLOCK_LIMIT = 4 * 1024 * 1024;
const WINDOW = 65_535;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `lz4: ${message}`);
};

/** A length that goes on in further bytes while they are 255. */
const lengthFrom = (block: Uint8Array, at: number, nibble: number): { length: number; at: number } => {
  let length = nibble;
  let place = at;
  if (nibble === 15) {
    for (let byte = 255; byte === 255; place += 1) {
      if (place >= block.length) invalid('a length runs out of its block');
      byte = block[place] ?? 0;
      length += byte;
    }
  }
  return { length, at: place };
};

/** One compressed block (lz4_Block_format.md); copies may reach back to `history`. */
export const decodeBlock = (block: Uint8Array, sink: Sink, history: number): void => {
  let at = 0;
  while (at < block.length) {
    const token = block[at] ?? 0;
    const literals = lengthFrom(block, at + 1, token >>> 4);
    if (literals.length > block.length - literals.at) invalid('literals run out of their block');
    sink.append(block.subarray(literals.at, literals.at + literals.length));
    at = literals.at + literals.length;
    if (at === block.length) return;
    if (block.length - at < 2) invalid('a block ends inside a copy');
    const distance = (block[at] ?? 0) | ((block[at + 1] ?? 0) << 8);
    const copy = lengthFrom(block, at + 2, token & 15);
    at = copy.at;
    if (distance === 0 || distance > Math.min(WINDOW, sink.length - history))
      invalid('a copy reaches before the start');
    sink.repeat(distance, copy.length + 4);
  }
  invalid('a block without its last literals');
};

/** One frame from `input` into `sink`, its checksums checked; skippable frames give nothing. */
export const decodeFrame = (input: ByteReader, sink: Sink): void => {
  const magic = input.u32();
  if (magic >>> 4 === SKIPPABLE >>> 4) {
    input.bytes(input.u32());
    return;
  }
  if (magic !== MAGIC) invalid('no frame');
  const start = input.position;
  const flags = input.next();
  const blockSize = input.next();
  if (flags >>> 6 !== 1 || (flags & 2) !== 0 || (blockSize & 0x8f) !== 0) invalid('version or reserved bits');
  const sized = (flags & 8) !== 0;
  const declared = sized ? input.u32() + input.u32() * 2 ** 32 : 0;
  if ((flags & 1) !== 0) invalid('a dictionary is needed that the file does not hold');
  const length = input.position - start;
  input.position = start;
  const sum = (xxh32(input.bytes(length)) >>> 8) & 255;
  if (input.next() !== sum) invalid('the checksum of the header is wrong');
  const begin = sink.length;
  for (;;) {
    const size = input.u32();
    if (size === ENDS) break;
    const plain = size >>> 31 === 1;
    const bytes = size & 0x7fffffff;
    if (bytes > BLOCK_LIMIT) invalid('a block is too large');
    const block = input.bytes(bytes);
    if (plain) sink.append(block);
    else decodeBlock(block, sink, (flags & 0x20) !== 0 ? sink.length : begin);
    if ((flags & 0x10) !== 0 && input.u32() !== xxh32(block)) invalid('the checksum of a block is wrong');
  }
  const content = sink.bytes.subarray(begin, sink.length);
  if ((flags & 4) !== 0 && input.u32() !== xxh32(content)) invalid('the checksum is wrong');
  if (sized && declared !== content.length) invalid('the size is wrong');
};

const isMagic = (value: number): boolean => value === MAGIC || value >>> 4 === SKIPPABLE >>> 4;

export const lz4 = compressedFormat({
  name: 'lz4',
  title: 'lz4 frame',
  begins: [0x04],
  recognisedBy: 'The frame magic 04 22 4D 18.',
  checks: 'Frames, blocks and their checksums, nothing behind the last; the content is inspected.',
  references: ['lz4_Frame_format.md 1.6.4', 'lz4_Block_format.md'],
  recognise: ([a, b, c, d]) => a === 0x04 && b === 0x22 && c === 0x4d && d === 0x18,
  decode: decodeFrame,
  another: (input) => {
    const at = input.position;
    const more = input.end - at >= 4 && isMagic(input.u32());
    input.position = at;
    return more;
  },
  padding: false,
});
