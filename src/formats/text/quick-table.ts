import { decodeUtf8 } from '../../bytes/utf8.ts';
import type { Dataset } from '../../content/injection/dataset.ts';
import { type Run, SHORT } from '../../content/injection/runs.ts';
import { mayOrder } from '../../content/injection/sets.ts';
import { FLAGS, sift, siftedEnd, siftedGroups, siftedUnits } from '../../content/injection/sieve/bytes.ts';
import { ADDRESS, SPEAKS } from '../../content/injection/sieve/marks.ts';
import { mayBeHash } from '../../content/url-list.ts';
import { CELLS, type Table, USUAL } from './table.ts';

const QUOTE = 0x22;
const RETURN = 0x0d;
const FEED = 0x0a;

/** What was counted of a column since the last row that was read; `known` once such a row had it. */
type Tally = {
  readonly column: string;
  /** Its short cells, which are read together. */
  run: Run | undefined;
  known: boolean;
  cells: number;
  filled: number;
  characters: number;
};
/** A cell of the current record: where its text lies, and its characters, or its text where that is looked at; `doubled` when marks in it are. */
type Taken = {
  tally: Tally;
  units: number;
  text: string | undefined;
  from: number;
  end: number;
  doubled: boolean;
  /** What the look at it found, and its end begins. */
  begun: number;
  ending: number;
};

/**
 * Takes records of a table as they lie in the file, without decoding them, as long as there is nothing to say about them;
 * whatever else there is, is for who reads them one by one (rows.ts).
 */
export type QuickTable = {
  /**
   * Where the record at `start` ends, behind its line feed; -1 when it does not end in `bytes`, which are valid UTF-8 and
   * lie at `base` in the file.
   */
  take(bytes: Uint8Array, start: number, base: number): number;
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
    (column): Tally => ({ column, run: undefined, known: false, cells: 0, filled: 0, characters: 0 }),
  );
  const last = tallies.length - 1;
  const cells: Taken[] = [];
  let used = 0;
  /** What the short cells of the record have beginnings of. */
  let groups = 0;
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
    const flags = sift(bytes, from, end, false, tally.run?.before()) % FLAGS;
    const [begun, ending] = [siftedGroups(), siftedEnd()];
    const units = siftedUnits() - doubled;
    if (units <= SHORT) groups |= begun;
    const looked = (flags & ADDRESS) !== 0 || (mayBeHash(units, false) && !bytes.subarray(from, end).includes(0x20));
    if ((flags & SPEAKS) !== 0 || !tally.known || (looked && doubled > 0)) plain = false;
    tally.known = true;
    const text = looked && plain ? decodeUtf8(bytes.subarray(from, end)) : undefined;
    const cell = cells[used];
    used += 1;
    if (cell === undefined) {
      cells.push({ tally, units, text, from, end, doubled: doubled > 0, begun, ending });
      return;
    }
    cell.tally = tally;
    cell.units = units;
    cell.text = text;
    cell.from = from;
    cell.end = end;
    cell.doubled = doubled > 0;
    cell.begun = begun;
    cell.ending = ending;
  };

  /** Reads a cell on with those above it. */
  const readOn = (
    { tally, units, from, end, doubled, begun, ending }: Taken,
    bytes: Uint8Array,
    base: number,
  ): void => {
    tally.run ??= dataset.run(tally.column);
    const { run } = tally;
    if (units > SHORT) run.end();
    else if (doubled)
      run.addText(decodeUtf8(bytes.subarray(from, end)).replaceAll('""', '"'), dataset.row(), base + from);
    else run.add(bytes, from, end, dataset.row(), base + from, begun, ending);
  };

  /** Whether other readers take the record apart in another way, and it says something to them. */
  const saysWhole = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (used < 2 || !others.some((other) => bytes.subarray(start, end).includes(other))) return false;
    return (sift(bytes, start, end, false) & SPEAKS) !== 0;
  };

  return {
    take(bytes, start, base) {
      used = 0;
      groups = 0;
      plain = true;
      taken = false;
      for (let at = start; ; ) {
        const next = cellAt(bytes, at);
        if (next < 0) return -1;
        at = next;
        if (bytes[behind] !== FEED) continue;
        if (!plain || dataset.wantsRow(used) || mayOrder(groups) || saysWhole(bytes, start, at)) return at;
        for (let index = 0; index < used; index++) {
          const cell = cells[index];
          if (cell === undefined) continue;
          count(cell, dataset);
          if (cell.units > 0) readOn(cell, bytes, base);
        }
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

const count = ({ tally, units, text }: Taken, dataset: Dataset): void => {
  tally.cells += 1;
  if (text !== undefined) dataset.look(tally.column, text);
  else if (units > 0) {
    tally.filled += 1;
    tally.characters += units;
  }
};
