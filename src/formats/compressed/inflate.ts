import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import type { Sink } from '../archive/sink.ts';

/** Codes up to this many bits are found in one look, in a table as long as the longest of them; the few others bit by bit. */
const FAST_BITS = 10;
/** Longest code of DEFLATE. */
export const MOST_BITS = 15;

export type Code = { readonly fast: Uint16Array; readonly count: Uint16Array; readonly symbols: Uint16Array };

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `deflate: ${message}`);
};

/**
 * The canonical Huffman code of the given lengths (RFC 1951, 3.2.2). Over-subscribed codes are refused, and
 * incomplete ones unless they are one code of one bit, as zlib does.
 */
export const buildCode = (lengths: Uint8Array, loneAllowed: boolean): Code => {
  const count = new Uint16Array(MOST_BITS + 1);
  for (const length of lengths) count[length] = (count[length] ?? 0) + 1;
  count[0] = 0;
  const next = new Uint16Array(MOST_BITS + 2);
  const first = new Uint16Array(MOST_BITS + 2);
  let left = 1;
  let used = 0;
  for (let bits = 1; bits <= MOST_BITS; bits += 1) {
    const n = count[bits] ?? 0;
    left = 2 * left - n;
    if (left < 0) invalid('over-subscribed code');
    next[bits + 1] = ((next[bits] ?? 0) + n) << 1;
    first[bits + 1] = (first[bits] ?? 0) + n;
    if (n > 0) used = bits;
  }
  if (left > 0 && !(loneAllowed && used <= 1)) invalid('incomplete code');
  const symbols = new Uint16Array(lengths.length);
  const fast = new Uint16Array(1 << Math.min(FAST_BITS, used));
  for (let symbol = 0; symbol < lengths.length; symbol += 1) {
    const length = lengths[symbol] ?? 0;
    if (length === 0) continue;
    const place = first[length] ?? 0;
    first[length] = place + 1;
    symbols[place] = symbol;
    const code = next[length] ?? 0;
    next[length] = code + 1;
    if (length > FAST_BITS) continue;
    let reversed = 0;
    for (let bit = 0; bit < length; bit += 1) reversed |= ((code >>> bit) & 1) << (length - 1 - bit);
    for (let i = reversed; i < fast.length; i += 1 << length) fast[i] = (symbol << 4) | length;
  }
  return { fast, count, symbols };
};

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const DISTANCE_CODES = 30;

const fixedCodes = (): { literals: Code; distances: Code } => {
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  return { literals: buildCode(lengths, false), distances: buildCode(new Uint8Array(32).fill(5), false) };
};
let fixed: ReturnType<typeof fixedCodes> | undefined;

/**
 * Decompresses one DEFLATE stream (RFC 1951) from `input` into `sink`. Afterwards `input` stands on the byte behind the
 * stream. Throws FORMAT_TRUNCATED, FORMAT_INVALID, and LIMIT_EXCEEDED when the sink is full.
 */
export const inflate = (input: ByteReader, sink: Sink): void => {
  const begin = sink.length;
  let hold = 0;
  let bits = 0;
  let padded = 0;

  const fill = () => {
    while (bits <= 24) {
      const byte = input.poll();
      if (byte < 0) {
        padded += 1;
        // A decoder may look at bits behind the end, but a stream that used them was cut.
        if (padded > 8) throw new WeighbridgeError('FORMAT_TRUNCATED', 'deflate: the data end before the stream does');
      } else hold |= byte << bits;
      bits += 8;
    }
  };
  const take = (count: number): number => {
    if (bits < count) fill();
    const value = hold & ((1 << count) - 1);
    hold >>>= count;
    bits -= count;
    return value;
  };
  const slow = (code: Code): number => {
    let value = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= MOST_BITS; length += 1) {
      value |= (hold >>> (length - 1)) & 1;
      const n = code.count[length] ?? 0;
      if (value - n < first) {
        hold >>>= length;
        bits -= length;
        return code.symbols[index + (value - first)] ?? 0;
      }
      index += n;
      first = (first + n) << 1;
      value <<= 1;
    }
    return invalid('no such code');
  };
  const symbol = (code: Code): number => {
    if (bits < MOST_BITS) fill();
    const entry = code.fast[hold & (code.fast.length - 1)] ?? 0;
    if (entry === 0) return slow(code);
    hold >>>= entry & 15;
    bits -= entry & 15;
    return entry >>> 4;
  };
  const alignToByte = () => {
    take(bits & 7);
    const unread = (bits >>> 3) - padded;
    if (unread < 0) throw new WeighbridgeError('FORMAT_TRUNCATED', 'deflate: the data end before the stream does');
    input.position -= unread;
    hold = 0;
    bits = 0;
    padded = 0;
  };

  const stored = () => {
    alignToByte();
    const length = input.next() | (input.next() << 8);
    const inverse = input.next() | (input.next() << 8);
    if ((length ^ 0xffff) !== inverse) invalid('stored block with a wrong length');
    sink.append(input.bytes(length));
  };
  const dynamicCodes = () => {
    const literals = take(5) + 257;
    const distances = take(5) + 1;
    const lengthCodes = take(4) + 4;
    if (literals > 286 || distances > DISTANCE_CODES) invalid('too many codes');
    const small = new Uint8Array(19);
    for (let i = 0; i < lengthCodes; i += 1) small[ORDER[i] ?? 0] = take(3);
    const code = buildCode(small, false);
    const lengths = new Uint8Array(literals + distances);
    for (let i = 0; i < lengths.length; ) {
      const value = symbol(code);
      if (value < 16) {
        lengths[i++] = value;
        continue;
      }
      if (value === 16 && i === 0) invalid('repeat without a length');
      const repeated = value === 16 ? (lengths[i - 1] ?? 0) : 0;
      const times = value === 16 ? 3 + take(2) : value === 17 ? 3 + take(3) : 11 + take(7);
      if (i + times > lengths.length) invalid('too many lengths');
      lengths.fill(repeated, i, i + times);
      i += times;
    }
    if (lengths[256] === 0) invalid('no end-of-block code');
    return {
      literals: buildCode(lengths.subarray(0, literals), true),
      distances: buildCode(lengths.subarray(literals), true),
    };
  };
  const block = (codes: { literals: Code; distances: Code }) => {
    for (;;) {
      const value = symbol(codes.literals);
      if (value < 256) {
        if (sink.length === sink.bytes.length) sink.reserve(1);
        sink.bytes[sink.length++] = value;
        continue;
      }
      if (value === 256) return;
      if (value > 285) invalid('no such length');
      const length = (LENGTH_BASE[value - 257] ?? 0) + take(LENGTH_EXTRA[value - 257] ?? 0);
      const place = symbol(codes.distances);
      if (place >= DISTANCE_CODES) invalid('no such distance');
      const extra = place < 2 ? 0 : (place >>> 1) - 1;
      const distance = place < 2 ? place + 1 : ((2 + (place & 1)) << extra) + 1 + take(extra);
      if (distance > sink.length - begin) invalid('distance reaches before the start');
      sink.repeat(distance, length);
    }
  };

  for (let last = false; !last; ) {
    last = take(1) === 1;
    const kind = take(2);
    if (kind === 0) stored();
    else if (kind === 1) {
      fixed ??= fixedCodes();
      block(fixed);
    } else if (kind === 2) block(dynamicCodes());
    else invalid('reserved block type');
  }
  alignToByte();
};
