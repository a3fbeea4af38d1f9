import { WeighbridgeError } from '../errors.ts';
import type { ByteRange, ByteRangeRequest } from './types.ts';

/**
 * The bytes that a range request means in a file of `size` bytes (RFC 9110, 14.1.2): an end past the file is clamped.
 * Throws RANGE_NOT_SATISFIABLE with the size when nothing of the file is asked for.
 */
export const resolveRange = (range: ByteRangeRequest | undefined, size: number): ByteRange => {
  if (range === undefined) return { start: 0, end: size };
  const { first, last, suffix } = range;
  const start = suffix === undefined ? (first ?? 0) : Math.max(size - suffix, 0);
  const end = suffix === undefined && last !== undefined ? Math.min(last + 1, size) : size;
  if (start >= end) throw new WeighbridgeError('RANGE_NOT_SATISFIABLE', 'the range lies outside the file', { size });
  return { start, end };
};
