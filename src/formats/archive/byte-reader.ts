import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes fetched from the source at once by a decoder. */
const CHUNK = 64 * 1024;

/** Reads a source byte after byte, for decoders; asks the source for chunks. */
export type ByteReader = {
  /** Offset of the next byte in the source. May be set. */
  position: number;
  readonly end: number;
  /** The next byte, or -1 at the end. */
  poll(): number;
  /** The next byte; throws FORMAT_TRUNCATED at the end. */
  next(): number;
  /** The next `length` bytes; throws FORMAT_TRUNCATED when there are fewer. */
  bytes(length: number): Uint8Array;
  /** The next 32-bit little-endian number. */
  u32(): number;
};

/** A reader of `source` from `start` (inclusive) to `end` (exclusive). */
export const createByteReader = (source: RandomAccess, start = 0, end = source.size): ByteReader => {
  let chunk = new Uint8Array(0);
  let from = start;
  let inside = 0;
  const load = (): boolean => {
    const position = from + inside;
    if (position < start || position >= end) return false;
    chunk = source.read(position, Math.min(CHUNK, end - position)).slice();
    from = position;
    inside = 0;
    return true;
  };
  const poll = (): number => {
    if ((inside < 0 || inside >= chunk.length) && !load()) return -1;
    const byte = chunk[inside] ?? -1;
    inside += 1;
    return byte;
  };
  const truncated = (): never => {
    const offset = from + inside;
    throw new WeighbridgeError('FORMAT_TRUNCATED', `compressed data end at ${offset}, more were expected`, { offset });
  };
  const next = (): number => {
    const byte = poll();
    return byte < 0 ? truncated() : byte;
  };
  return {
    end,
    get position() {
      return from + inside;
    },
    set position(value) {
      inside = value - from;
    },
    poll,
    next,
    bytes(length) {
      const position = from + inside;
      if (length > end - position) truncated();
      inside += length;
      return source.read(position, length);
    },
    u32() {
      return (next() | (next() << 8) | (next() << 16) | (next() << 24)) >>> 0;
    },
  };
};
