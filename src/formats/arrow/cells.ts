import type { Budget } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { PAGE } from './decompress.ts';
import { type PageReader, readDeltaLengths, readDeltaStrings, readHybrid } from './encodings.ts';
import { type Chunk, openDictionary, openPage, PAGE_TYPE, type Page, pagesOf } from './pages.ts';

/** Looks at the cells of a column as they lie in its pages. */
export type CellVisitor = {
  /** A dictionary of so many entries takes the place of the one before. */
  dictionary(entries: number): void;
  /**
   * A cell from `start` to `end`, in a row of its group. `entry` is its number in the dictionary, or -1; `offset` is where
   * the page lies in the file.
   */
  cell(bytes: Uint8Array, start: number, end: number, row: number, offset: number, entry: number): void;
};

/** Cells by their places in one run of bytes. */
type Cells = { readonly bytes: Uint8Array; readonly starts: Uint32Array; readonly ends: Uint32Array };
/** The cells of a page; those of a dictionary by their numbers in it. */
type PageCells = Cells & { readonly entries: Uint32Array | undefined; readonly count: number };

const NONE: Cells = { bytes: new Uint8Array(), starts: new Uint32Array(), ends: new Uint32Array() };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`, { offset });
};

/** Shows the cells of a column chunk of byte arrays, page by page. Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED. */
export const visitCells = (source: RandomAccess, chunk: Chunk, budget: Budget, visitor: CellVisitor): void => {
  let dictionary = NONE;
  let row = -1;
  for (const at of pagesOf(source, chunk, budget)) {
    if (at.type === PAGE_TYPE.index) continue;
    if (at.type === PAGE_TYPE.dictionary) {
      const { reader, count } = openDictionary(source, at, chunk);
      dictionary = plain(reader, count, at.body);
      visitor.dictionary(count);
      continue;
    }
    const page = openPage(source, at, chunk);
    const { bytes, starts, ends, entries, count } = valuesOf(page, dictionary, at.body);
    const { definitions, repetitions } = page;
    let used = 0;
    for (let index = 0; index < page.count; index++) {
      if (chunk.repetition === 0 || repetitions?.[index] === 0) row += 1;
      if (chunk.definition > 0 && definitions?.[index] !== chunk.definition) continue;
      if (used >= count) break;
      const entry = entries === undefined ? -1 : (entries[used] ?? 0);
      const place = entries === undefined ? used : entry;
      used += 1;
      if (place >= starts.length) invalid('an entry that the dictionary lacks', at.body);
      visitor.cell(bytes, starts[place] ?? 0, ends[place] ?? 0, Math.max(row, 0), at.body, entry);
    }
  }
};

/** `count` cells, each behind its length. */
const plain = ({ bytes, at: first }: PageReader, count: number, offset: number): Cells => {
  if (count > (bytes.length - first) / 4) invalid('a page ends early', offset);
  const [starts, ends] = [new Uint32Array(count), new Uint32Array(count)];
  let at = first;
  for (let index = 0; index < count; index++) {
    const length =
      (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256 + (bytes[at + 2] ?? 0) * 65536 + (bytes[at + 3] ?? 0) * 2 ** 24;
    at += 4;
    if (length > bytes.length - at) invalid('a cell leaves its page', offset);
    starts[index] = at;
    at += length;
    ends[index] = at;
  }
  return { bytes, starts, ends };
};

/** Cells that were taken apart already, put one behind the other: few files have these encodings. */
const joined = (cells: readonly Uint8Array[]): Cells => {
  const bytes = new Uint8Array(cells.reduce((sum, { length }) => sum + length, 0));
  const [starts, ends] = [new Uint32Array(cells.length), new Uint32Array(cells.length)];
  let at = 0;
  for (const [index, cell] of cells.entries()) {
    bytes.set(cell, at);
    starts[index] = at;
    at += cell.length;
    ends[index] = at;
  }
  return { bytes, starts, ends };
};

const valuesOf = ({ reader, encoding, present: count }: Page, dictionary: Cells, offset: number): PageCells => {
  const whole = (cells: Cells): PageCells => ({ ...cells, entries: undefined, count: cells.starts.length });
  if (count === 0) return whole(NONE);
  switch (encoding) {
    case 0:
      return whole(plain(reader, count, offset));
    case 2:
    case 8: {
      const width = reader.bytes[reader.at++] ?? invalid('a page ends early', offset);
      return { ...dictionary, entries: readHybrid(reader, width, count), count };
    }
    case 6:
      return whole(joined(readDeltaLengths(reader)));
    case 7:
      return whole(joined(readDeltaStrings(reader, PAGE)));
    default:
      return invalid(`encoding ${encoding} of byte arrays`, offset);
  }
};
