import { decodeUtf8 } from '../../bytes/utf8.ts';
import type { Dataset } from '../../content/injection/dataset.ts';
import { FLAGS, sift, siftedUnits } from '../../content/injection/sieve/bytes.ts';
import { ADDRESS, SPEAKS } from '../../content/injection/sieve/marks.ts';
import { mayBeHash } from '../../content/url-list.ts';
import { CELLS, type Table, USUAL } from './table.ts';

const QUOTE = 0x22;
const RETURN = 0x0d;
const FEED = 0x0a;

/** What was counted of a column since the last row that was read; `known` once such a row had it. */
type Tally = { readonly column: string; known: boolean; cells: number; filled: number; characters: number };
/** A cell of the current record: where its text lies, and its characters, or its text where that is looked at. */
type Taken = { tally: Tally; units: number; text: string | undefined };

/**
 * Takes records of a table as they lie in the file, without decoding them, as long as there is nothing to say about them;
 * whatever else there is, is for who reads them one by one (rows.ts).
 */
export type QuickTable = {
  /** Where the record at `start` ends, behind its line feed; -1 when it does not end in `bytes`, which are valid UTF-8. */
  take(bytes: Uint8Array, start: number): number;
  /** Whether the last record is counted already. Otherwise it must be read, behind `flush`. */
  taken(): boolean;
  /** Tells the data set of the records that were taken. */
  flush(): void;
};

/** A reader of records as they lie; the same cells as `recordAt` gives. */
export const createQuickTable = (dataset: Dataset, { separator, columns }: Table): QuickTable => {
  const between = separator.charCodeAt(0);
  const others = USUAL.filter((other) => other !== separator).map((other) => other.charCodeAt(0));
  const tallies = [...columns, '(more columns)'].map(
    (column): Tally => ({ column, known: false, cells: 0, filled: 0, characters: 0 }),
  );
  const last = tallies.length - 1;
  const cells: Taken[] = [];
  let used = 0;
  let taken = false;
  let plain = true;
  let behind = 0;

  /** Reads the cell at `start`; answers with where the next one begins, or -1 where the bytes end first. */
  const cellAt = (bytes: Uint8Array, start: number): number => {
    let from = start;
    let end = start;
    let doubled = 0;
    if (used < CELLS && bytes[start] === QUOTE) {
      from = start + 1;
      for (end = bytes.indexOf(QUOTE, from); end >= 0 && bytes[end + 1] === QUOTE; end = bytes.indexOf(QUOTE, end + 2))
        doubled += 1;
      if (end < 0) return -1;
    }
    let next = from === start ? start : end + 1;
    while (next < bytes.length && bytes[next] !== FEED && (bytes[next] !== between || used >= CELLS)) next += 1;
    if (next >= bytes.length) return -1;
    // What stands behind a closing mark, other than the end of a line, belongs to the cell.
    if (from === start) end = next;
    else if (next !== end + 1 && !(next === end + 2 && bytes[end + 1] === RETURN)) plain = false;
    if (plain) look(bytes, from, end, doubled);
    behind = next;
    return next + 1;
  };

  const look = (bytes: Uint8Array, from: number, end: number, doubled: number): void => {
    const tally = tallies[Math.min(used, last)];
    if (tally === undefined || used >= CELLS) {
      plain = false;
      return;
    }
    const flags = sift(bytes, from, end, false) % FLAGS;
    const units = siftedUnits() - doubled;
    const looked = (flags & ADDRESS) !== 0 || (mayBeHash(units, false) && !bytes.subarray(from, end).includes(0x20));
    if ((flags & SPEAKS) !== 0 || !tally.known || (looked && doubled > 0)) plain = false;
    tally.known = true;
    const text = looked && plain ? decodeUtf8(bytes.subarray(from, end)) : undefined;
    const cell = cells[used];
    used += 1;
    if (cell === undefined) {
      cells.push({ tally, units, text });
      return;
    }
    cell.tally = tally;
    cell.units = units;
    cell.text = text;
  };

  /** Whether other readers take the record apart in another way, and it says something to them. */
  const saysWhole = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (used < 2 || !others.some((other) => bytes.subarray(start, end).includes(other))) return false;
    return (sift(bytes, start, end, false) & SPEAKS) !== 0;
  };

  return {
    take(bytes, start) {
      used = 0;
      plain = true;
      taken = false;
      for (let at = start; ; ) {
        const next = cellAt(bytes, at);
        if (next < 0) return -1;
        at = next;
        if (bytes[behind] !== FEED) continue;
        if (!plain || dataset.wantsRow(used) || saysWhole(bytes, start, at)) return at;
        for (let index = 0; index < used; index++) count(cells[index], dataset);
        dataset.passRow(used);
        taken = true;
        return at;
      }
    },
    taken: () => taken,
    flush() {
      for (const tally of tallies) {
        if (tally.cells > 0) dataset.pass(tally.column, tally.cells);
        if (tally.filled > 0) dataset.tally(tally.column, tally.filled, tally.characters);
        tally.cells = 0;
        tally.filled = 0;
        tally.characters = 0;
      }
    },
  };
};

const count = (cell: Taken | undefined, dataset: Dataset): void => {
  if (cell === undefined) return;
  const { tally, units, text } = cell;
  tally.cells += 1;
  if (text !== undefined) dataset.look(tally.column, text);
  else if (units > 0) {
    tally.filled += 1;
    tally.characters += units;
  }
};
