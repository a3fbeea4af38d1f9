import { WeighbridgeError } from '../../../errors.ts';
import { CODECS } from '../pages.ts';
import { gzip } from './gzip.ts';
import { createOut, type Out } from './out.ts';
import { repeatsIn } from './repeats.ts';
import { zstd } from './zstd.ts';

/** Distances that two bytes hold; the readers of Snappy and LZ4 need not look further back. */
const REACH = 0xffff;
/** Bytes of one literal of Snappy whose length takes two bytes. */
const LITERAL = 0x10000;

/**
 * `bytes` in the form of a codec of Parquet: a page that is written anew reads like any other of its column, and is not
 * much larger than it was. Small encoders of our own, greedy and deterministic. Throws LIMIT_EXCEEDED for other codecs.
 */
export const compress = (codec: number, bytes: Uint8Array): Uint8Array => {
  const out = createOut(64 + (bytes.length >> 1));
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
  const literals = (from: number, to: number): void => {
    for (let at = from; at < to; at += LITERAL) {
      const literal = bytes.subarray(at, Math.min(to, at + LITERAL));
      const number = literal.length - 1;
      // 60 and 61: the length less one follows in one byte, in two.
      if (number < 60) out.byte(number << 2);
      else if (number < 0x100) out.byte(60 << 2);
      else out.byte(61 << 2);
      if (number >= 60) out.byte(number & 0xff);
      if (number >= 0x100) out.byte(number >> 8);
      out.bytes(literal);
    }
  };
  const copy = (length: number, distance: number): void => {
    if (length < 12 && distance < 0x800) {
      out.byte(1 | ((length - 4) << 2) | ((distance >> 8) << 5));
      out.byte(distance & 0xff);
      return;
    }
    out.byte(2 | ((length - 1) << 2));
    out.byte(distance & 0xff);
    out.byte(distance >> 8);
  };
  const rest = repeatsIn(bytes, 0, bytes.length, REACH, (from, at, length, distance) => {
    literals(from, at);
    let left = length;
    // A copy holds 64 bytes, and no fewer than four are to be left for the last one.
    for (; left >= 68; left -= 64) copy(64, distance);
    if (left > 64) {
      copy(60, distance);
      left -= 60;
    }
    copy(left, distance);
  });
  literals(rest, bytes.length);
};

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
const lz4 = (out: Out, bytes: Uint8Array): void => {
  const more = (length: number): void => {
    if (length < 15) return;
    let left = length - 15;
    for (; left >= 255; left -= 255) out.byte(255);
    out.byte(left);
  };
  const rest = repeatsIn(bytes, 0, bytes.length, REACH, (from, at, length, distance) => {
    out.byte((Math.min(at - from, 15) << 4) | Math.min(length - 4, 15));
    more(at - from);
    out.bytes(bytes.subarray(from, at));
    out.byte(distance & 0xff);
    out.byte(distance >> 8);
    more(length - 4);
  });
  const length = bytes.length - rest;
  out.byte(Math.min(length, 15) << 4);
  more(length);
  out.bytes(bytes.subarray(rest));
};
