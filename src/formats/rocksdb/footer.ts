import { createCursor } from '../../bytes/cursor.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { expectSum, type Handle, readHandle, TRAILER } from './block.ts';

/** Bytes of the footer, and of the magic number at its end (`kBlockBasedTableMagicNumber`). */
const FOOTER = 53;
const MAGIC = [0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88];
/** Where the version stands, from the end. */
const VERSION = 12;
/** Where its own checksum stands in it, since version 6. */
const SUM = 5;
/** Versions whose footer and blocks are known. */
const [FIRST, LAST] = [1, 6];
/** The mark of a footer since version 6, and the zeros that it reserves. */
const EXTENDED = 0x007a003e;

/** What the last bytes of a table say. */
export type Footer = {
  readonly version: number;
  /** 0 none, 1 CRC-32C, 2 xxHash-32, 3 xxHash-64, 4 XXH3. */
  readonly checksum: number;
  /** Number that belongs to the checksum of every block of this file; 0 when none does. */
  readonly base: number;
  readonly meta: Handle;
  /** Where the index is; since version 6 the block at `meta` says it. */
  readonly index?: Handle;
  /** Where the footer begins. */
  readonly start: number;
};

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `RocksDB: ${message}`, { offset });
};

/** True for a file that ends as tables of RocksDB made of blocks do. */
export const isRocksTable = (source: RandomAccess): boolean => {
  if (source.size < FOOTER) return false;
  const end = source.read(source.size - MAGIC.length, MAGIC.length);
  return MAGIC.every((byte, index) => end[index] === byte);
};

/** The footer (rocksdb/table/format.cc, `Footer::DecodeFrom`). Throws FORMAT_INVALID for versions that are not known. */
export const readFooter = (source: RandomAccess): Footer => {
  const start = source.size - FOOTER;
  const cursor = createCursor(source, source.size - VERSION);
  const version = cursor.u32();
  if (version < FIRST || version > LAST) invalid(`version ${version} of tables is not known`, start);
  cursor.position = start;
  const checksum = cursor.u8();
  if (checksum > 4) invalid('a kind of checksum that is not known', start);
  if (version < LAST) {
    const [meta, index] = [readHandle(cursor), readHandle(cursor)];
    expectZeros(source, cursor.position, source.size - VERSION);
    return { version, checksum, base: 0, meta, index, start };
  }
  if (cursor.u32() !== EXTENDED) invalid('a footer without its mark', start);
  const sum = cursor.u32();
  const base = cursor.u32();
  const size = cursor.u32();
  expectZeros(source, cursor.position, source.size - VERSION);
  const offset = start - TRAILER - size;
  if (offset < 0) invalid('a block before the file', start);
  // The checksum of the footer is that of its bytes with zeros in place of itself.
  const bytes = source.read(start, FOOTER).slice();
  bytes.fill(0, SUM, SUM + 4);
  expectSum(bytes, sum, start, { checksum, base });
  return { version, checksum, base, meta: { offset, size }, start };
};

const expectZeros = (source: RandomAccess, start: number, end: number): void => {
  if (source.read(start, end - start).some((byte) => byte !== 0)) invalid('bytes in the footer', start);
};
