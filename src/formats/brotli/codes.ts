import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import { buildCode, type Code, MOST_BITS } from '../compressed/inflate.ts';

export const invalid: (message: string) => never = (message) => {
  throw new WeighbridgeError('FORMAT_INVALID', `brotli: ${message}`);
};

/** A prefix code; with one symbol alone nothing is read. */
export type Prefix = { readonly lone: number } | Code;

/** Reads bits, the lowest of each byte first. */
export type Bits = {
  /** The next `count` bits, at most 24. */
  take(count: number): number;
  symbol(code: Prefix): number;
  /** Passes over the bits up to the next byte, which are zero; the input then stands there. */
  align(): void;
};

/** Bytes behind the end that may be looked at, and none used. */
const AHEAD = 8;

export const createBits = (input: ByteReader): Bits => {
  let [hold, bits, padded] = [0, 0, 0];
  const cut = (): never => {
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'brotli: the data end before the stream does');
  };
  const fill = (): void => {
    for (; bits <= 24; bits += 8) {
      const byte = input.poll();
      if (byte >= 0) hold |= byte << bits;
      else if (++padded > AHEAD) cut();
    }
  };
  const drop = (count: number): void => {
    hold >>>= count;
    bits -= count;
  };
  const take = (count: number): number => {
    if (bits < count) fill();
    const value = hold & ((1 << count) - 1);
    drop(count);
    return value;
  };
  const long = (code: Code): number => {
    let [value, first, index] = [0, 0, 0];
    for (let length = 1; length <= MOST_BITS; length += 1) {
      value |= (hold >>> (length - 1)) & 1;
      const count = code.count[length] ?? 0;
      if (value - count < first) {
        drop(length);
        return code.symbols[index + value - first] ?? 0;
      }
      index += count;
      first = (first + count) << 1;
      value <<= 1;
    }
    return invalid('no such code');
  };
  return {
    take,
    symbol(code) {
      if ('lone' in code) return code.lone;
      if (bits < MOST_BITS) fill();
      const entry = code.fast[hold & (code.fast.length - 1)] ?? 0;
      if (entry === 0) return long(code);
      drop(entry & 15);
      return entry >>> 4;
    },
    align() {
      if (take(bits & 7) !== 0) invalid('bits before the end of a byte are not zero');
      const unread = (bits >>> 3) - padded;
      if (unread < 0) cut();
      input.position -= unread;
      [hold, bits, padded] = [0, 0, 0];
    },
  };
};

/** A number from 1 to 256: of block types, of trees. */
export const readNumber = ({ take }: Bits): number => {
  if (take(1) === 0) return 1;
  const bits = take(3);
  return 1 + (1 << bits) + take(bits);
};

/** Lengths of the codes of two to four symbols, in the order in which they are given (RFC 7932, 3.4). */
const SIMPLE = [[], [], [1, 1], [1, 2, 2], [2, 2, 2, 2], [1, 2, 3, 3]];
/** In which order the lengths of the code of lengths are given, and the code in which they are written (3.5). */
const ORDER = [1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const LENGTHS = buildCode(Uint8Array.of(2, 4, 3, 2, 2, 4), false);
const [REPEAT, REPEAT_ZERO] = [16, 17];

/** A prefix code over `size` symbols (RFC 7932, 3.4 and 3.5). */
export const readPrefix = (bits: Bits, size: number): Prefix => {
  const skipped = bits.take(2);
  return skipped === 1 ? readSimple(bits, size) : readComplex(bits, size, skipped);
};

const readSimple = ({ take }: Bits, size: number): Prefix => {
  const count = take(2) + 1;
  const width = 32 - Math.clz32(size - 1);
  const symbols = Array.from({ length: count }, () => take(width));
  const [lone = 0] = symbols;
  if (new Set(symbols).size !== count || symbols.some((symbol) => symbol >= size)) invalid('a simple code');
  if (count === 1) return { lone };
  const lengths = new Uint8Array(size);
  const simple = SIMPLE[count === 4 ? 4 + take(1) : count] ?? [];
  for (const [index, symbol] of symbols.entries()) lengths[symbol] = simple[index] ?? 0;
  return buildCode(lengths, false);
};

const readComplex = (bits: Bits, size: number, skipped: number): Prefix => {
  const small = new Uint8Array(ORDER.length);
  let space = 32;
  let used = 0;
  let lone = 0;
  for (let index = skipped; index < ORDER.length && space > 0; index++) {
    const length = bits.symbol(LENGTHS);
    if (length === 0) continue;
    lone = ORDER[index] ?? 0;
    small[lone] = length;
    space -= 32 >> length;
    used += 1;
  }
  if (used !== 1 && space !== 0) invalid('a code of lengths');
  return buildCode(readLengths(bits, used === 1 ? { lone } : buildCode(small, false), size), false);
};

const readLengths = (bits: Bits, code: Prefix, size: number): Uint8Array => {
  const lengths = new Uint8Array(size);
  let space = 1 << MOST_BITS;
  let [before, repeated, times] = [8, 0, 0];
  for (let symbol = 0; symbol < size && space > 0; ) {
    const length = bits.symbol(code);
    if (length < REPEAT) {
      times = 0;
      lengths[symbol++] = length;
      if (length > 0) {
        before = length;
        space -= (1 << MOST_BITS) >> length;
      }
      continue;
    }
    const value = length === REPEAT ? before : 0;
    if (value !== repeated) times = 0;
    repeated = value;
    const old = times;
    const extra = length === REPEAT_ZERO ? 3 : 2;
    times = (times > 0 ? (times - 2) << extra : 0) + bits.take(extra) + 3;
    const more = times - old;
    if (symbol + more > size) invalid('too many lengths');
    lengths.fill(value, symbol, symbol + more);
    symbol += more;
    if (value > 0) space -= more << (MOST_BITS - value);
  }
  if (space !== 0) invalid('a code that is not complete');
  return lengths;
};
