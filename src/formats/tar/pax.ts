import { KIB, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { tarText } from './header.ts';

/** Bytes of one extended header; real ones hold a path, times and a few attributes. */
export const PAX_LIMIT = 1024 * KIB;

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/**
 * The records `length key=value\n` of an extended header (POSIX.1-2017, pax, "pax Extended Header"). Throws
 * FORMAT_INVALID when a length is wrong or a key is there twice: readers would differ.
 */
export const readPax = (bytes: Uint8Array, offset: number): ReadonlyMap<string, string> => {
  within('pax header bytes', bytes.length, PAX_LIMIT);
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : tarText(bytes.subarray(at, Math.min(space, at + 10)));
    if (!/^[1-9][0-9]*$/.test(digits)) invalid('a record of an extended header has no length', offset + at);
    const end = at + Number(digits);
    if (end > bytes.length || bytes[end - 1] !== 0x0a)
      invalid('a record of an extended header has a wrong length', offset + at);
    const text = bytes.subarray(space + 1, end - 1);
    const equals = text.indexOf(0x3d);
    if (equals <= 0) invalid('a record of an extended header has no key', offset + at);
    const key = tarText(text.subarray(0, equals));
    if (records.has(key)) invalid('an extended header has a key twice', offset + at);
    records.set(key, tarText(text.subarray(equals + 1)));
    at = end;
  }
  return records;
};
