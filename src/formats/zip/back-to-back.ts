import { createCursor } from '../../bytes/cursor.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';

const LOCAL = 0x04034b50;
const END = 0x06054b50;
const LOCATOR = 0x07064b50;
const END64 = 0x06064b50;
const [END_SIZE, LOCATOR_SIZE, END64_SIZE] = [22, 20, 56];
const ALL_32 = 0xffffffff;

/** Archives in one file: a distributed checkpoint has one for each piece of a tensor that a rank wrote. */
const ARCHIVES = 100_000;

/** Where one archive begins and ends (exclusive) in the file. */
export type Extent = { readonly start: number; readonly end: number };

/**
 * The archives that lie back to back in `source` and fill it, each with its end record at its end and its first local header
 * at its beginning, in their order; undefined when it is anything else. Only where they lie is said: each has still to be
 * read by itself, as strictly as any.
 */
export const archivesIn = (source: RandomAccess): readonly Extent[] | undefined => {
  const found: Extent[] = [];
  let end = source.size;
  while (end > 0) {
    const start = startOf(source, end);
    if (start === undefined || found.length === ARCHIVES) return undefined;
    found.push({ start, end });
    end = start;
  }
  return found.reverse();
};

/** Where the archive that ends at `end` begins, by its end record and the one for large archives before it. */
const startOf = (source: RandomAccess, end: number): number | undefined => {
  const from = Math.max(0, end - END_SIZE - LOCATOR_SIZE - END64_SIZE);
  const bytes = source.read(from, end - from);
  const at = bytes.length - END_SIZE;
  if (at < 0) return undefined;
  const record = createCursor(fromBytes(bytes), at);
  if (record.u32() !== END) return undefined;
  record.skip(8);
  const short = { size: record.u32(), offset: record.u32(), before: from + at };
  if (record.u16() !== 0) return undefined;
  const { size, offset, before } = wideOf(bytes, at, from) ?? short;
  if (size === ALL_32 || offset === ALL_32) return undefined;
  const start = before - size - offset;
  if (start < 0 || start + 30 > end) return undefined;
  return createCursor(section(source, start, end)).u32() === LOCAL ? start : undefined;
};

const wideOf = (bytes: Uint8Array, at: number, from: number) => {
  const place = at - LOCATOR_SIZE - END64_SIZE;
  if (place < 0) return undefined;
  const source = fromBytes(bytes);
  if (createCursor(source, at - LOCATOR_SIZE).u32() !== LOCATOR) return undefined;
  const record = createCursor(source, place);
  if (record.u32() !== END64) return undefined;
  record.skip(36);
  return { size: record.u64(), offset: record.u64(), before: from + place };
};
