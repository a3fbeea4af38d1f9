import type { ByteRangeRequest } from '../../gateway/types.ts';

/**
 * One range as a Range header has it (RFC 9110, 14.1.2). Undefined for what a server may ignore: another unit, several
 * ranges, a syntax error, an end before the start.
 */
export const readRange = (header: string | undefined): ByteRangeRequest | undefined => {
  const match = /^bytes\s*=\s*(\d{0,100})\s*-\s*(\d{0,100})$/i.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? undefined : { suffix: count(last) };
  if (last === '') return { first: count(first) };
  return count(last) < count(first) ? undefined : { first: count(first), last: count(last) };
};

/** Beyond any file, but with room to add one. */
const count = (digits: string): number => Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
