import { crc32 } from '../../archive/checksum.ts';
import { createBits } from './bits.ts';
import type { Out } from './out.ts';
import { repeatsIn } from './repeats.ts';

/** How far back DEFLATE copies from, and how many bytes at once. */
const REACH = 0x8000;
const MOST = 258;

/** Codes of Huffman are written from their highest bit. */
const reversed = (code: number, count: number): number => {
  let out = 0;
  for (let bit = 0; bit < count; bit++) out |= ((code >> bit) & 1) << (count - 1 - bit);
  return out;
};

/** The fixed codes of RFC 1951, 3.2.6: bits and how many. */
const fixed = (symbol: number): readonly [code: number, count: number] => {
  if (symbol < 144) return [reversed(0x30 + symbol, 8), 8];
  if (symbol < 256) return [reversed(0x190 + symbol - 144, 9), 9];
  if (symbol < 280) return [reversed(symbol - 256, 7), 7];
  return [reversed(0xc0 + symbol - 280, 8), 8];
};
const CODES = Array.from({ length: 286 }, (_, symbol) => fixed(symbol));
const ENDS = 256;

/** Which of the steps of a table of RFC 1951, 3.2.5 a value belongs to: doubling every `1 << bits` codes. */
const stepOf = (value: number, bits: number): { code: number; extra: number; count: number } => {
  if (value < 2 << bits) return { code: value, extra: 0, count: 0 };
  const count = 31 - Math.clz32(value) - bits;
  return { code: (count << bits) + (value >> count), extra: value & ((1 << count) - 1), count };
};

/** RFC 1952 around one block of RFC 1951 with its fixed codes. */
export const gzip = (out: Out, bytes: Uint8Array): void => {
  for (const byte of [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]) out.byte(byte);
  const { put, flush } = createBits(out.byte);
  const symbol = (number: number): void => {
    const [code, count] = CODES[number] ?? [0, 0];
    put(code, count);
  };
  const literals = (from: number, to: number): void => {
    for (let at = from; at < to; at++) symbol(bytes[at] ?? 0);
  };
  const copy = (length: number, distance: number): void => {
    // The longest has a code of its own.
    const long = length === MOST ? { code: 28, extra: 0, count: 0 } : stepOf(length - 3, 2);
    symbol(257 + long.code);
    put(long.extra, long.count);
    const far = stepOf(distance - 1, 1);
    put(reversed(far.code, 5), 5);
    put(far.extra, far.count);
  };
  // The last block, with fixed codes.
  put(3, 3);
  const rest = repeatsIn(bytes, 0, bytes.length, REACH, (from, at, length, distance) => {
    literals(from, at);
    let left = length;
    for (; left > MOST + 3; left -= MOST) copy(MOST, distance);
    if (left > MOST) {
      copy(left - 4, distance);
      left = 4;
    }
    copy(left, distance);
  });
  literals(rest, bytes.length);
  symbol(ENDS);
  flush();
  out.u32(crc32(bytes));
  out.u32(bytes.length);
};
