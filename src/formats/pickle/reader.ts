import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes fetched at once: a read through the sandbox wall costs 150 to 350 microseconds whatever its length. */
const WINDOW = 256 * 1024;

/** Bytes fetched first, four times as many each time after: of a file of many small streams little is fetched again. */
const FIRST_WINDOW = 4 * 1024;

/** Bytes of one text line (names, decimal numbers, escaped strings). Honest lines are short; vocabularies reach 1 MiB. */
const MAX_LINE = 16 * 1024 * 1024;

/** Reads opcodes and operands forward through a window; every read is checked against `end`. */
export type Reader = {
  /** Offset of the next byte in the source. May be set. */
  position: number;
  readonly end: number;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  f64(): number;
  /** A 64-bit length; throws FORMAT_TRUNCATED when it is over 2^53-1, since no source is that long. */
  u64(): number;
  /** The next `length` bytes; not to be kept, they may share memory with the window. */
  take(length: number): Uint8Array;
  /** Passes over `length` bytes without reading them. */
  skip(length: number): void;
  /** Bytes up to the next newline, which is passed over; throws FORMAT_TRUNCATED without one. */
  line(): Uint8Array;
};

/** A reader over `source` from `start` to `end` (exclusive). */
export const createReader = (source: RandomAccess, start: number, end: number): Reader => {
  checkRange(source.size, start, 0);
  checkRange(source.size, end, 0);
  let window: Uint8Array = new Uint8Array(0);
  let view = new DataView(window.buffer);
  let base = start;
  let position = start;
  let ahead = FIRST_WINDOW;

  /** Makes `length` bytes at the position part of the window; returns their index in it. */
  const need = (length: number): number => {
    const index = position - base;
    if (index >= 0 && index + length <= window.length) return index;
    if (length > end - position) throw truncated(position, length);
    window = source.read(position, Math.min(Math.max(ahead, length), end - position));
    ahead = Math.min(4 * ahead, WINDOW);
    view = new DataView(window.buffer, window.byteOffset, window.length);
    base = position;
    return 0;
  };

  const newline = (): number => {
    for (let size = 256; ; size *= 16) {
      const length = Math.min(size, end - position, MAX_LINE);
      const index = need(length);
      const found = window.subarray(index, index + length).indexOf(0x0a);
      if (found >= 0) return found;
      if (length === end - position) throw truncated(position, length + 1);
      if (length === MAX_LINE) throw new WeighbridgeError('LIMIT_EXCEEDED', `line of over ${MAX_LINE} bytes`);
    }
  };

  return {
    get position() {
      return position;
    },
    set position(value) {
      position = value;
    },
    end,
    u8() {
      const index = position - base;
      const byte = index >= 0 ? window[index] : undefined;
      if (byte !== undefined) {
        position += 1;
        return byte;
      }
      const at = need(1);
      position += 1;
      return view.getUint8(at);
    },
    u16() {
      const at = need(2);
      position += 2;
      return view.getUint16(at, true);
    },
    u32() {
      const at = need(4);
      position += 4;
      return view.getUint32(at, true);
    },
    i32() {
      const at = need(4);
      position += 4;
      return view.getInt32(at, true);
    },
    f64() {
      const at = need(8);
      position += 8;
      return view.getFloat64(at, false);
    },
    u64() {
      const at = need(8);
      const value = view.getBigUint64(at, true);
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw truncated(position, Number(value));
      position += 8;
      return Number(value);
    },
    take(length) {
      const at = need(length);
      position += length;
      return window.subarray(at, at + length);
    },
    skip(length) {
      if (length > end - position) throw truncated(position, length);
      position += length;
    },
    line() {
      const length = newline();
      const at = need(length + 1);
      position += length + 1;
      return window.subarray(at, at + length);
    },
  };
};

const truncated = (offset: number, length: number): WeighbridgeError =>
  new WeighbridgeError('FORMAT_TRUNCATED', `${length} bytes at ${offset} lie beyond the end of the stream`, { offset });
