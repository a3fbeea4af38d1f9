import { createCursor } from '../../bytes/cursor.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { address, invalid, unsigned } from './file.ts';

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** What the superblock says. */
export type Superblock = {
  readonly version: number;
  readonly addressSize: number;
  readonly lengthSize: number;
  /** Address of the root group's object header. */
  readonly root: number;
  /** Address of the superblock's extension. */
  readonly extension: number | undefined;
  readonly driver: number | undefined;
  /** Where the file ends, counted from its own beginning. */
  readonly end: number;
  /** Where it says that its own beginning is, in the source. */
  readonly base: number;
};

/**
 * Where the superblock is in `source` up to offset `last`, or undefined when there is none where a reader looks for it: at
 * 0, 512 and every doubling up to the end of the file.
 */
export const findSuperblock = (source: RandomAccess, last = source.size): number | undefined => {
  for (let place = 0; place + SIGNATURE.length <= source.size && place <= last; place = place === 0 ? 512 : place * 2) {
    const bytes = safeRead(source, place);
    if (bytes && SIGNATURE.every((byte, index) => bytes[index] === byte)) return place;
  }
  return undefined;
};

const safeRead = (source: RandomAccess, place: number): Uint8Array | undefined => {
  try {
    return source.read(place, SIGNATURE.length);
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
};

const WIDTHS = [2, 4, 8];

/** Reads the superblock at `place` (HDF5 file format 3.0, II.A). Throws FORMAT_TRUNCATED, FORMAT_INVALID, LIMIT_EXCEEDED. */
export const readSuperblock = (source: RandomAccess, place: number): Superblock => {
  const cursor = createCursor(section(source, place, source.size), SIGNATURE.length);
  const version = cursor.u8();
  if (version > 3) invalid(`superblock version ${version} is not known`, place);
  const old = version < 2;
  if (old) cursor.skip(4);
  const addressSize = cursor.u8();
  const lengthSize = cursor.u8();
  if (!WIDTHS.includes(addressSize) || !WIDTHS.includes(lengthSize)) invalid('addresses have an unusual width', place);
  const widths = { addressSize };
  cursor.skip(old ? 9 + (version === 1 ? 4 : 0) : 1);
  const base = address(widths, cursor) ?? 0;
  const second = address(widths, cursor);
  const end = address(widths, cursor);
  const driver = old ? address(widths, cursor) : undefined;
  if (old) unsigned(cursor, lengthSize);
  const root = address(widths, cursor);
  if (root === undefined || end === undefined) {
    throw new WeighbridgeError('FORMAT_INVALID', 'the superblock has no root group or no end', { offset: place });
  }
  return { version, addressSize, lengthSize, root, extension: old ? undefined : second, driver, end, base };
};
