import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import type { Bytes } from './values.ts';

/** Bytes of a constant that are read at once: index arrays of trees, nested pickles. */
const MAX_CONSTANT = 64 * 1024 * 1024;

/** The bytes of a constant of a stream in `source`; throws LIMIT_EXCEEDED when they are more than are ever needed. */
export const bytesOf = (source: RandomAccess, value: Bytes): Uint8Array =>
  value.literal ?? source.read(value.offset, within('pickle.constant', value.length, MAX_CONSTANT));
