import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, printable, type Severity } from '../format.ts';

/** Rules' references: files outside, memory of careless readers, code by another way. */
export const OUTSIDE = ['CVE-2026-1669', 'CWE-73', 'CWE-22'];
export const MEMORY = ['CWE-125', 'CWE-787'];

/** An HDF5 file while it is walked. Addresses count from the superblock, so `source` begins there. */
export type Hdf5 = {
  readonly source: RandomAccess;
  readonly context: Context;
  /** Bytes of an address and of a length, 2 to 8. */
  readonly addressSize: number;
  readonly lengthSize: number;
  /** Why not everything was understood; empty when it was. */
  unread: string;
  readonly report: (
    rule: string,
    severity: Severity,
    message: string,
    offset: number,
    evidence?: string,
    refs?: readonly string[],
  ) => void;
};

export const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/** Notes the first reason why a part of the file was not understood. */
export const noteUnread = (file: Hdf5, reason: string): void => {
  file.unread ||= printable(reason, 160);
};

/** A cursor at `address`, up to the end of the file. */
export const cursorAt = (file: Hdf5, address: number): Cursor => createCursor(file.source, address);

/** A cursor over exactly `length` bytes from `address`. */
export const cursorIn = (file: Hdf5, address: number, length: number): Cursor =>
  createCursor(section(file.source, address, address + length));

/** An unsigned number of `width` bytes, little endian. Throws LIMIT_EXCEEDED above 2^53-1. */
export const unsigned = (cursor: Cursor, width: number): number => {
  if (width === 8) return cursor.u64();
  let value = 0;
  const bytes = cursor.bytes(width);
  for (let index = width - 1; index >= 0; index--) value = value * 256 + (bytes[index] ?? 0);
  return value;
};

/** An address, or undefined when it is the undefined one. */
export const address = (file: Pick<Hdf5, 'addressSize'>, cursor: Cursor): number | undefined => {
  const bytes = cursor.bytes(file.addressSize);
  if (bytes.every((byte) => byte === 0xff)) return undefined;
  cursor.position -= file.addressSize;
  return unsigned(cursor, file.addressSize);
};

export const length = (file: Hdf5, cursor: Cursor): number => unsigned(cursor, file.lengthSize);

/** Throws FORMAT_INVALID unless the next four bytes are `wanted`. */
export const signature = (cursor: Cursor, wanted: string): void => {
  const at = cursor.position;
  const found = latin(cursor.bytes(wanted.length));
  if (found !== wanted) invalid(`no ${wanted} block at ${at}`, at);
};

/** Bytes as characters of the same number. */
export const latin = (bytes: Uint8Array): string => {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096)
    parts.push(Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + 4096)));
  return parts.join('');
};

/** Text up to its first NUL, at most `limit` bytes of it. */
export const untilNul = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return latin(end < 0 ? bytes : bytes.subarray(0, end));
};
