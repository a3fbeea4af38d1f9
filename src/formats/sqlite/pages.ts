import type { Budget } from '../../bytes/limits.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes of the file header, on the first page. */
const HEADER = 100;
/** Levels of a tree: each holds at least two children, so that the largest file has some thirty. */
const LEVELS = 40;
/** Bytes of one value that is put together from overflow pages. */
const VALUE = 64 * 1024 * 1024;
/** Columns of a table (SQLITE_MAX_COLUMN). */
const COLUMNS = 32_767;

/** Kinds of pages of a tree of rows, and of one of keys, which is what a table WITHOUT ROWID is kept in. */
const ROWS = { leaf: 0x0d, interior: 0x05 } as const;
const KEYS = { leaf: 0x0a, interior: 0x02 } as const;
type Kinds = typeof ROWS | typeof KEYS;

export type Column = null | number | { readonly kind: 'text' | 'blob'; readonly bytes: Uint8Array };

/** The pages of a database (https://www.sqlite.org/fileformat2.html). */
export type Pages = {
  readonly source: RandomAccess;
  readonly pageSize: number;
  /** Bytes of a page without what is reserved at its end. */
  readonly usable: number;
  readonly count: number;
  readonly encoding: 1 | 2 | 3;
};

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `SQLite: ${message}`, { offset });
};

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

/** Reads the file header; the file must be whole pages. */
export const readPages = (source: RandomAccess): Pages => {
  const header = source.read(0, HEADER);
  const raw = u16(header, 16);
  const pageSize = raw === 1 ? 65536 : raw;
  if (pageSize < 512 || (pageSize & (pageSize - 1)) !== 0) invalid('a page size that is none', 16);
  const usable = pageSize - (header[20] ?? 0);
  if (usable < 480) invalid('more of a page is reserved than may be', 20);
  if (header[21] !== 64 || header[22] !== 32 || header[23] !== 32) invalid('payload fractions that are none', 21);
  if (source.size % pageSize !== 0)
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'SQLite: half a page', { offset: source.size });
  const encoding = u32(header, 56) || 1;
  if (encoding !== 1 && encoding !== 2 && encoding !== 3) invalid('a text encoding that is none', 56);
  return { source, pageSize, usable, count: source.size / pageSize, encoding };
};

const pageAt = ({ source, pageSize, count }: Pages, number: number): Uint8Array =>
  number < 1 || number > count
    ? invalid(`page ${number} does not exist`, 0)
    : source.read((number - 1) * pageSize, pageSize);

/** A varint of up to nine bytes, as a number; larger ones are no length. */
const varint = (bytes: Uint8Array, at: number): readonly [value: number, next: number] => {
  let value = 0n;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index] ?? invalid('a number ends behind its page', 0);
    if (index === 8) return [Number((value << 8n) | BigInt(byte)), at + 9];
    value = (value << 7n) | BigInt(byte & 127);
    if (byte < 128) return [Number(value), at + index + 1];
  }
  return invalid('a number is too long', 0);
};

/** Every row of the table whose root is page `root`: its columns, the key first in a tree of keys, and where it stands. */
export const rowsOf = function* (
  pages: Pages,
  root: number,
  budget: Budget,
  seen: Set<number> = new Set(),
): Generator<{ readonly columns: readonly Column[]; readonly offset: number }> {
  const waiting: (readonly [page: number, level: number])[] = [[root, 1]];
  let kinds: Kinds | undefined;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [number, level] = next;
    budget.spend('steps', 1);
    const offset = (number - 1) * pages.pageSize;
    if (level > LEVELS) exceeded('SQLite levels', LEVELS);
    if (seen.has(number)) invalid(`page ${number} is used twice`, offset);
    seen.add(number);
    const page = pageAt(pages, number);
    const start = number === 1 ? HEADER : 0;
    const kind = page[start];
    kinds ??= kind === KEYS.leaf || kind === KEYS.interior ? KEYS : ROWS;
    if (kind !== kinds.leaf && kind !== kinds.interior) invalid('a page that is no part of a table', offset);
    const isLeaf = kind === kinds.leaf;
    const cells = u16(page, start + 3);
    const pointers = start + (isLeaf ? 8 : 12);
    if (pointers + 2 * cells > pages.usable) invalid('more cells than fit', offset);
    budget.spend('steps', cells);
    if (!isLeaf) waiting.push([u32(page, start + 8), level + 1]);
    for (let index = 0; index < cells; index++) {
      const at = u16(page, pointers + 2 * index);
      if (at < pointers || at > pages.usable - 4) invalid('a cell outside of its page', offset);
      if (!isLeaf) waiting.push([u32(page, at), level + 1]);
      // Keys stand on every level of their tree, rows only on the lowest.
      if (!isLeaf && kinds === ROWS) continue;
      const payload = payloadAt(pages, page, isLeaf ? at : at + 4, kinds, budget);
      yield { columns: columnsOf(payload, offset, pages), offset: offset + at };
    }
  }
};

/** The bytes of a row, put together from its page and the overflow pages behind. */
const payloadAt = (pages: Pages, page: Uint8Array, at: number, kinds: Kinds, budget: Budget): Uint8Array => {
  const [length, afterLength] = varint(page, at);
  const start = kinds === KEYS ? afterLength : varint(page, afterLength)[1];
  within('SQLite row bytes', length, Math.min(VALUE, pages.source.size));
  const most = kinds === KEYS ? Math.floor(((pages.usable - 12) * 64) / 255) - 23 : pages.usable - 35;
  if (length <= most)
    return start + length > pages.usable
      ? invalid('a row ends behind its page', 0)
      : page.subarray(start, start + length);
  const least = Math.floor(((pages.usable - 12) * 32) / 255) - 23;
  const wanted = least + ((length - least) % (pages.usable - 4));
  const local = wanted <= most ? wanted : least;
  if (start + local + 4 > pages.usable) invalid('a row ends behind its page', 0);
  const out = new Uint8Array(length);
  out.set(page.subarray(start, start + local));
  let next = u32(page, start + local);
  for (let filled = local; filled < length; ) {
    budget.spend('steps', 1);
    const overflow = pageAt(pages, next);
    const part = overflow.subarray(4, Math.min(pages.usable, 4 + length - filled));
    out.set(part, filled);
    filled += part.length;
    next = u32(overflow, 0);
  }
  return out;
};

/** Bytes of a column by its serial type. */
const sizeOf = (type: number): number => {
  if (type >= 12) return (type - 12 - (type % 2)) / 2;
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type] ?? invalid('a serial type that is reserved', 0);
};

const columnsOf = (payload: Uint8Array, offset: number, { usable }: Pages): readonly Column[] => {
  const [headerSize, first] = varint(payload, 0);
  if (headerSize > payload.length || headerSize < first) invalid('a row without a header', offset);
  const columns: Column[] = [];
  let body = headerSize;
  for (let at = first; at < headerSize; ) {
    const [type, next] = varint(payload, at);
    at = next;
    const size = sizeOf(type);
    if (size > payload.length - body) invalid('a column ends behind its row', offset);
    const bytes = payload.subarray(body, body + size);
    body += size;
    if (type === 0) columns.push(null);
    else if (type >= 12) columns.push({ kind: type % 2 === 0 ? 'blob' : 'text', bytes });
    else columns.push(type === 7 ? 0 : type >= 8 ? type - 8 : bytes.reduce((sum, byte) => sum * 256 + byte, 0));
    within('SQLite columns', columns.length, Math.min(COLUMNS, usable * 8));
  }
  return columns;
};
