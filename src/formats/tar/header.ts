import { within } from '../../bytes/limits.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes of a tar block. */
export const BLOCK = 512;

/** The fields of one header block that mean something to a reader (POSIX.1-2017, pax, "ustar Interchange Format"). */
export type TarHeader = {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly link: string;
  /** Who wrote it: POSIX, GNU, or a writer from before both. */
  readonly dialect: 'ustar' | 'gnu' | 'old';
};

/** The number in an octal field: digits, then spaces or NULs. Undefined when it is anything else. */
export const octal = (bytes: Uint8Array): number | undefined => {
  const match = /^ *([0-7]*)[\0 ]*$/.exec(String.fromCharCode(...bytes));
  return match === null ? undefined : Number.parseInt(match[1] || '0', 8);
};

/** Where the checksum stands. */
const [SUM, SUM_END] = [148, 156];

/** The sum of a header's bytes, the checksum field counted as spaces. */
const headerSum = (block: Uint8Array): number => {
  let sum = (SUM_END - SUM) * 0x20;
  for (let i = 0; i < BLOCK; i += 1) if (i < SUM || i >= SUM_END) sum += block[i] ?? 0;
  return sum;
};

/** True when the first block of `head` is a tar header, of any dialect: its checksum is right. */
export const isTarHeader = (head: Uint8Array): boolean => {
  if (head.length < BLOCK || head[0] === 0) return false;
  return octal(head.subarray(SUM, SUM_END)) === headerSum(head);
};

/**
 * True when the most lenient reader (Python's tarfile, `nti` and `calc_chksums`) takes the first block of `head` for a
 * header: it also sums bytes with their sign, reads numbers as its `int` does, and lets a name begin with NUL.
 */
export const mayBeTarHeader = (head: Uint8Array): boolean => {
  if (head.length < BLOCK) return false;
  const written = lenientNumber(head.subarray(SUM, SUM_END));
  if (written === undefined) return false;
  const sum = headerSum(head);
  let negative = 0;
  for (let i = 0; i < BLOCK; i += 1) if ((i < SUM || i >= SUM_END) && (head[i] ?? 0) >= 0x80) negative += 1;
  return written === sum || written === sum - 0x100 * negative;
};

/** Octal digits as Python's `int` takes them, or base 256, with a sign, as GNU writes large numbers. */
const lenientNumber = (bytes: Uint8Array): number | undefined => {
  const [first = 0] = bytes;
  if (first === 0x80 || first === 0xff)
    return bytes.subarray(1).reduce((value, byte) => value * 0x100 + byte, first === 0xff ? -1 : 0);
  const text = String.fromCharCode(...bytes).replace(/\0.*$/s, '');
  const digits = /^\s*([+-]?)(?:0[oO]_?)?([0-7]+(?:_[0-7]+)*)\s*$/.exec(text);
  if (digits === null) return undefined;
  return Number.parseInt((digits[2] ?? '').replaceAll('_', ''), 8) * (digits[1] === '-' ? -1 : 1);
};

/** Text as UTF-8, or byte by byte where it is not. */
export const tarText = (bytes: Uint8Array): string => {
  try {
    return decodeUtf8(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }
};

/** A text field ends at its first NUL. */
const field = (block: Uint8Array, at: number, length: number): string => {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return tarText(end < 0 ? bytes : bytes.subarray(0, end));
};

/** A size: octal, or for large ones base 256 with the high bit of the first byte set (GNU). */
const readSize = (bytes: Uint8Array, offset: number): number => {
  if (bytes[0] !== 0x80) {
    const value = octal(bytes);
    if (value !== undefined) return value;
    throw new WeighbridgeError('FORMAT_INVALID', 'the size of a member is not a number', { offset });
  }
  let value = 0;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  return within('tar member size', value, Number.MAX_SAFE_INTEGER);
};

/** Reads the header in `block`, which stands at `offset`. Throws FORMAT_INVALID when its checksum is wrong. */
export const readHeader = (block: Uint8Array, offset: number): TarHeader => {
  if (!isTarHeader(block)) {
    throw new WeighbridgeError('FORMAT_INVALID', 'the checksum of a header is wrong', { offset });
  }
  const magic = String.fromCharCode(...block.subarray(257, 265));
  const dialect = magic === 'ustar\x0000' ? 'ustar' : magic === 'ustar  \0' ? 'gnu' : 'old';
  const prefix = dialect === 'ustar' ? field(block, 345, 155) : '';
  const name = field(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: readSize(block.subarray(124, 136), offset),
    type: String.fromCharCode(block[156] ?? 0),
    link: field(block, 157, 100),
    dialect,
  };
};
