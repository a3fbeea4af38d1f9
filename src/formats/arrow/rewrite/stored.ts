import { WeighbridgeError } from '../../../errors.ts';
import { crc32 } from '../../archive/checksum.ts';
import { CODECS } from '../pages.ts';
import { createOut, type Out } from './out.ts';

/** Bytes of one literal of Snappy, and of one block of the others, by their specifications; zstd's is 128 KiB. */
const LITERAL = 0x10000;
const DEFLATE_BLOCK = 0xffff;
const ZSTD_BLOCK = 0x20000;

/**
 * `bytes` in the form of a codec of Parquet, not made smaller: each codec has a way to say that bytes follow as they are.
 * A page that is written anew so reads like any other of its column.
 */
export const stored = (codec: number, bytes: Uint8Array): Uint8Array => {
  const out = createOut(bytes.length + 64 + Math.ceil(bytes.length / 255));
  switch (CODECS.get(codec)) {
    case 'none':
      return bytes;
    case 'snappy':
      snappy(out, bytes);
      break;
    case 'gzip':
      gzip(out, bytes);
      break;
    case 'zstd':
      zstd(out, bytes);
      break;
    case 'lz4 block':
      lz4(out, bytes);
      break;
    default:
      throw new WeighbridgeError('LIMIT_EXCEEDED', `Parquet: compression ${codec} is not written`);
  }
  return out.finish();
};

/** https://github.com/google/snappy/blob/main/format_description.txt */
const snappy = (out: Out, bytes: Uint8Array): void => {
  out.varint(BigInt(bytes.length));
  for (let at = 0; at < bytes.length; at += LITERAL) {
    const literal = bytes.subarray(at, at + LITERAL);
    // 61: the length less one follows in two bytes.
    out.byte(61 << 2);
    out.byte((literal.length - 1) & 0xff);
    out.byte((literal.length - 1) >> 8);
    out.bytes(literal);
  }
};

/** RFC 1952 around stored blocks of RFC 1951. */
const gzip = (out: Out, bytes: Uint8Array): void => {
  for (const byte of [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]) out.byte(byte);
  let at = 0;
  do {
    const block = bytes.subarray(at, at + DEFLATE_BLOCK);
    at += block.length;
    out.byte(at === bytes.length ? 1 : 0);
    for (const part of [block.length, 0xffff - block.length]) {
      out.byte(part & 0xff);
      out.byte(part >> 8);
    }
    out.bytes(block);
  } while (at < bytes.length);
  out.u32(crc32(bytes));
  out.u32(bytes.length);
};

/** RFC 8878: one segment with its size in eight bytes, and raw blocks. */
const zstd = (out: Out, bytes: Uint8Array): void => {
  out.u32(0xfd2fb528);
  out.byte(0xe0);
  out.u32(bytes.length);
  out.u32(0);
  let at = 0;
  do {
    const block = bytes.subarray(at, at + ZSTD_BLOCK);
    at += block.length;
    const header = (block.length << 3) | (at === bytes.length ? 1 : 0);
    for (let shift = 0; shift < 24; shift += 8) out.byte((header >> shift) & 0xff);
    out.bytes(block);
  } while (at < bytes.length);
};

/** One sequence of literals alone: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
const lz4 = (out: Out, bytes: Uint8Array): void => {
  const { length } = bytes;
  out.byte(Math.min(length, 15) << 4);
  if (length >= 15) {
    let left = length - 15;
    for (; left >= 255; left -= 255) out.byte(255);
    out.byte(left);
  }
  out.bytes(bytes);
};
