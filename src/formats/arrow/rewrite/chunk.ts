import type { Budget } from '../../../bytes/limits.ts';
import type { RandomAccess } from '../../../bytes/random-access.ts';
import { WeighbridgeError } from '../../../errors.ts';
import {
  type Chunk,
  countOf,
  openDictionary,
  openPage,
  PAGE_TYPE,
  type Page,
  type PageAt,
  pagesOf,
  widthOf,
} from '../pages.ts';
import { writeHybrid } from './hybrid.ts';
import { dataPage, dictionaryPage, type Written } from './page-writer.ts';
import { ENCODING, isIndexed, type Kind, readValues, type Values, writeValues } from './values.ts';

/** A column chunk and what its values are. */
export type Column = Chunk & { readonly kind: Kind };

/** Where the bytes of the new file go: ranges of the old one, and bytes that were not in it. */
export type Emit = { copy(start: number, end: number): void; write(bytes: Uint8Array): void };

/** What is new of a chunk, for the footer. */
export type Rewritten = {
  readonly compressed: number;
  readonly uncompressed: number;
  readonly values: number;
  /** Bytes before the first page of data. */
  readonly dictionary: number;
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`, { offset });
};

/** What stays of a page: places among all its values, nulls included, and among those that are there. */
type Kept = {
  readonly places: Uint32Array;
  readonly present: Uint32Array;
  readonly all: boolean;
  readonly rows: number;
};

/** Goes through the pages of data of a chunk and knows which of their rows stay. */
type Walk = {
  /** Whether a page of so many values holds no row that goes; only told of columns that do not repeat. */
  untouched(count: number): boolean;
  skip(count: number): void;
  kept(page: Page): Kept;
  /** Throws FORMAT_INVALID unless every row of the group was seen. */
  end(): void;
};

const createWalk = (column: Column, dropped: Uint8Array): Walk => {
  let row = -1;
  return {
    untouched(count) {
      const next = dropped.indexOf(1, row + 1);
      return next < 0 || next > row + count;
    },
    skip(count) {
      row += count;
    },
    kept({ count, definitions, repetitions }) {
      const places: number[] = [];
      const present: number[] = [];
      let value = 0;
      let rows = 0;
      for (let index = 0; index < count; index++) {
        const starts = column.repetition === 0 || repetitions?.[index] === 0;
        if (starts) row += 1;
        if (row < 0 || row >= dropped.length) invalid('a column has other rows than its group', column.start);
        const isPresent = column.definition === 0 || definitions?.[index] === column.definition;
        if (dropped[row] !== 1) {
          places.push(index);
          if (isPresent) present.push(value);
          if (starts) rows += 1;
        }
        if (isPresent) value += 1;
      }
      const all = places.length === count;
      return { places: Uint32Array.from(places), present: Uint32Array.from(present), all, rows };
    },
    end() {
      if (row + 1 !== dropped.length) invalid('a column has other rows than its group', column.start);
    },
  };
};

/** The entries of a dictionary that stay, and the new number of each, or undefined when all do. */
type Entries = { readonly renumbered: Uint32Array; readonly page: Written };

/** A dictionary without what only rows had that go: it would still be found by who reads dictionaries. */
const entriesLeft = (
  source: RandomAccess,
  column: Column,
  dropped: Uint8Array,
  budget: Budget,
): Entries | undefined => {
  const walk = createWalk(column, dropped);
  let entries: Values | undefined;
  let used = new Uint8Array();
  for (const at of pagesOf(source, column, budget)) {
    if (at.type === PAGE_TYPE.dictionary) {
      const { reader, count } = openDictionary(source, at, column);
      entries = readValues(reader, ENCODING.plain, column.kind, count);
      used = new Uint8Array(count);
      continue;
    }
    if (entries === undefined) return undefined;
    if (at.type === PAGE_TYPE.index) continue;
    const page = openPage(source, at, column);
    const { present } = walk.kept(page);
    if (!isIndexed(page.encoding)) continue;
    const values = readValues(page.reader, page.encoding, column.kind, page.present);
    const indices = values.form === 'indices' ? values.indices : invalid('no indices', at.body);
    for (const place of present) {
      const index = indices[place] ?? 0;
      if (index >= used.length) invalid('an entry that the dictionary lacks', at.body);
      used[index] = 1;
    }
  }
  if (entries === undefined || !used.includes(0)) return undefined;
  const renumbered = new Uint32Array(used.length);
  const places: number[] = [];
  for (const [index, isUsed] of used.entries()) if (isUsed === 1) renumbered[index] = places.push(index) - 1;
  return {
    renumbered,
    page: dictionaryPage(column.codec, writeValues(entries, Uint32Array.from(places)), places.length),
  };
};

/**
 * A column chunk without the rows that are marked in `dropped`, one byte for each row of its group. Pages that lose
 * nothing are copied; of the others levels and indices are packed anew and values written plainly, in the same kind of
 * page. Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED.
 */
export const rewriteChunk = (
  source: RandomAccess,
  column: Column,
  dropped: Uint8Array,
  budget: Budget,
  emit: Emit,
): Rewritten => {
  const entries = entriesLeft(source, column, dropped, budget);
  const walk = createWalk(column, dropped);
  const total = { compressed: 0, uncompressed: 0, values: 0, dictionary: 0 };
  const copy = ({ start, body, end, size }: PageAt): void => {
    emit.copy(start, end);
    total.compressed += end - start;
    total.uncompressed += body - start + size;
  };
  const write = ({ bytes, uncompressed }: Written): void => {
    emit.write(bytes);
    total.compressed += bytes.length;
    total.uncompressed += uncompressed;
  };
  let first = true;
  for (const at of pagesOf(source, column, budget)) {
    if (at.type === PAGE_TYPE.dictionary) {
      if (!first) invalid('a dictionary behind other pages', at.start);
      if (entries === undefined) copy(at);
      else write(entries.page);
      total.dictionary = total.compressed;
    } else if (at.type === PAGE_TYPE.one || at.type === PAGE_TYPE.two) {
      const counted = countOf(at);
      const page =
        column.repetition === 0 && entries === undefined && walk.untouched(counted)
          ? undefined
          : openPage(source, at, column);
      if (page === undefined) walk.skip(counted);
      const kept = page === undefined ? undefined : walk.kept(page);
      const stays =
        page === undefined || kept === undefined || (kept.all && (entries === undefined || !isIndexed(page.encoding)));
      if (stays) {
        copy(at);
        total.values += counted;
      } else if (kept.places.length > 0) {
        write(pageOf(at, page, column, kept, entries));
        total.values += kept.places.length;
      }
    } else if (at.type !== PAGE_TYPE.index) invalid(`a page of type ${at.type}`, at.start);
    first = false;
  }
  walk.end();
  return total;
};

/** A page of data with what stays of it. */
const pageOf = (
  at: PageAt,
  page: Page,
  column: Column,
  { places, present, rows }: Kept,
  entries: Entries | undefined,
): Written => {
  const level = (levels: Uint32Array | undefined, most: number): Uint8Array =>
    levels === undefined
      ? new Uint8Array()
      : writeHybrid(
          places.map((place) => levels[place] ?? 0),
          widthOf(most),
        );
  const values = readValues(page.reader, page.encoding, column.kind, page.present);
  return dataPage({
    two: at.type === PAGE_TYPE.two,
    codec: column.codec,
    count: places.length,
    nulls: places.length - present.length,
    rows,
    encoding: values.form === 'indices' ? page.encoding : ENCODING.plain,
    repetitions: level(page.repetitions, column.repetition),
    definitions: level(page.definitions, column.definition),
    values: values.form === 'indices' ? indexed(values.indices, present, entries) : writeValues(values, present),
  });
};

/** The numbers of entries, behind their width in bits. */
const indexed = (indices: Uint32Array, places: Uint32Array, entries: Entries | undefined): Uint8Array => {
  const numbers = places.map((place) => {
    const index = indices[place] ?? 0;
    return entries === undefined ? index : (entries.renumbered[index] ?? 0);
  });
  const width = Math.max(1, widthOf(numbers.reduce((most, number) => Math.max(most, number), 0)));
  const packed = writeHybrid(numbers, width);
  const out = new Uint8Array(1 + packed.length);
  out[0] = width;
  out.set(packed, 1);
  return out;
};
