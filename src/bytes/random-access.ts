import { WeighbridgeError } from '../errors.ts';

/**
 * Bytes that can be read at any offset, synchronously. Inside the isolate this is the only thing that a parser sees
 * of the outside; a blob, a file that still arrives and a remote file read by Range all look like this.
 */
export type RandomAccess = {
  /** Length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`. The result may share memory with the source: do not write to it.
   * Throws FORMAT_TRUNCATED when the range does not lie inside the source.
   */
  read(offset: number, length: number): Uint8Array;
  /** The same for bytes around which nothing else will be read, so that nothing is fetched ahead; see `sampleOf`. */
  readonly sample?: (offset: number, length: number) => Uint8Array;
};

/** Reads a sample of a large source: no more than these bytes, where the source can do that. */
export const sampleOf = (source: RandomAccess, offset: number, length: number): Uint8Array =>
  source.sample === undefined ? source.read(offset, length) : source.sample(offset, length);

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Throws FORMAT_TRUNCATED unless `offset` and `length` are counts and the range lies inside `size`. */
export const checkRange = (size: number, offset: number, length: number): void => {
  if (!isCount(offset) || !isCount(length) || offset > size || length > size - offset) {
    throw new WeighbridgeError('FORMAT_TRUNCATED', `${length} bytes at ${offset} do not lie inside ${size} bytes`, {
      offset,
      length,
      size,
    });
  }
};

/** A source over bytes in memory. */
export const fromBytes = (bytes: Uint8Array): RandomAccess => ({
  size: bytes.length,
  read(offset, length) {
    checkRange(bytes.length, offset, length);
    return bytes.subarray(offset, offset + length);
  },
});

/** The part of `source` from `start` (inclusive) to `end` (exclusive) as a source of its own. */
export const section = (source: RandomAccess, start: number, end: number): RandomAccess => {
  checkRange(source.size, start, end - start);
  const size = end - start;
  return {
    size,
    read(offset, length) {
      checkRange(size, offset, length);
      return source.read(start + offset, length);
    },
  };
};

/** Up to `length` first bytes of `source`; shorter when the source is. */
export const head = (source: RandomAccess, length: number): Uint8Array => source.read(0, Math.min(length, source.size));
