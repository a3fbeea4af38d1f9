import type { Budget } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Plan } from '../format.ts';
import { blosc } from './blosc.ts';
import { bzip2 } from './bzip2.ts';
import { gzip, zlib } from './gzip.ts';
import { lz4 } from './lz4.ts';
import { lzma } from './lzma.ts';
import type { CompressedFormat } from './stream.ts';
import { xz } from './xz.ts';
import { zstd } from './zstd.ts';

const COMPRESSIONS: readonly CompressedFormat[] = [blosc, bzip2, gzip, lz4, lzma, xz, zlib, zstd];

/**
 * The bytes that a plan speaks of when its checkpoint is wrapped: those that the same decoder gave to the inspection.
 * Throws FORMAT_INVALID for an unknown compression and when they are not as many as planned, and as the decoder does.
 */
export const unwrap = (
  source: RandomAccess,
  { by, size }: NonNullable<Plan['wrapped']>,
  budget: Budget,
): Uint8Array => {
  let plain: Uint8Array = new Uint8Array(0);
  for (const [depth, wrapping] of by.entries()) {
    const compression = COMPRESSIONS.find(({ name }) => name === wrapping);
    if (compression === undefined) throw new WeighbridgeError('FORMAT_INVALID', 'no compression has this name');
    plain = compression.decompress(depth === 0 ? source : fromBytes(plain), budget);
  }
  if (plain.length === size) return plain;
  throw new WeighbridgeError('FORMAT_INVALID', `it decompresses to ${plain.length} bytes where ${size} were planned`);
};
