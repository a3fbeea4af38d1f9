import { checkUtf8 } from '../../bytes/utf8.ts';
import { createColumns } from '../../content/injection/columns.ts';
import { type Dataset, mayLabel } from '../../content/injection/dataset.ts';
import { type Run, SHORT } from '../../content/injection/runs.ts';
import { FLAGS, sift, siftedEnd, siftedGroups, siftedUnits } from '../../content/injection/sieve/bytes.ts';
import type { Remark } from '../../content/remark.ts';
import { createSecretCells } from '../../content/secret-cells.ts';
import { mayBeHash } from '../../content/url-list.ts';
import { isFault } from '../../errors.ts';
import { textOfCell } from './cell-text.ts';
import type { CellVisitor } from './cells.ts';

/** Bytes of a cell that may label its row. */
const LABEL = 160;

/** Reads the cells of tables that are kept column by column. */
export type CellReader = {
  /** Reads cells of one column, in rows that count within their group. */
  column(name: string): CellVisitor;
  /** Ends a group of `rows` rows. */
  endGroup(rows: number): void;
  /** What there is to say about credentials. */
  finish(): Remark[];
};

/** What was counted of a column since its group began: cells, those that are not empty, and their characters. */
type Tally = {
  readonly column: string;
  readonly labels: boolean;
  cells: number;
  filled: number;
  characters: number;
  /** The short cells that follow each other: an order may be cut into them. */
  run?: Run;
};

/** Most cells are told to be harmless as they lie, each entry of a dictionary once; only the others are decoded. */
export const createCellReader = (dataset: Dataset): CellReader => {
  const columns = createColumns(dataset);
  const secrets = createSecretCells();
  const tallies = new Map<string, Tally>();

  const tallyOf = (column: string): Tally => {
    const known = tallies.get(column);
    if (known !== undefined) return known;
    const made = { column, labels: mayLabel(column), cells: 0, filled: 0, characters: 0 };
    tallies.set(column, made);
    return made;
  };
  /** Characters of a cell in which nothing is, or -1 when it must be read. */
  const harmless = ({ labels, run }: Tally, bytes: Uint8Array, start: number, end: number): number => {
    if (labels && end - start <= LABEL) return -1;
    if (sift(bytes, start, end, false, run?.before()) % FLAGS !== 0) return -1;
    const units = siftedUnits();
    if (units !== end - start && !isUtf8(bytes.subarray(start, end))) return -1;
    return mayBeHash(units, false) && !hasSpace(bytes, start, end) ? -1 : units;
  };
  const runOf = (tally: Tally): Run => {
    tally.run ??= dataset.run(tally.column);
    return tally.run;
  };
  const flush = (): void => {
    for (const tally of tallies.values()) {
      if (tally.cells > 0) dataset.pass(tally.column, tally.cells);
      if (tally.filled > 0) dataset.tally(tally.column, tally.filled, tally.characters);
      tally.cells = 0;
      tally.filled = 0;
      tally.characters = 0;
    }
  };

  return {
    column(name) {
      const tally = tallyOf(name);
      const all = dataset.wantsRow(1);
      /** Of each entry its characters plus one, once it is known to be harmless. */
      let known = new Uint32Array();
      return {
        dictionary(entries) {
          known = new Uint32Array(entries);
        },
        cell(bytes, start, end, row, offset, entry) {
          const entered = (known[entry] ?? 0) - 1;
          const units = entered < 0 && !all ? harmless(tally, bytes, start, end) : entered;
          const at = dataset.row() + row;
          if (units < 0) {
            const text = textOfCell(bytes.subarray(start, end));
            if (text.length > SHORT) runOf(tally).end();
            else runOf(tally).addText(text, at, offset);
            columns.cell(name, row, text, offset);
            secrets.cell(name, text, offset);
            return;
          }
          if (entry >= 0 && entry < known.length) known[entry] = units + 1;
          // A column is listed where its first cell stands.
          if (tally.cells === 0) dataset.pass(name, 0);
          tally.cells += 1;
          tally.characters += units;
          if (units === 0) return;
          tally.filled += 1;
          const run = runOf(tally);
          if (units > SHORT) {
            run.end();
            return;
          }
          // An entry that is known was looked at where it stood first.
          if (entered >= 0) sift(bytes, start, end, false, run.before());
          run.add(bytes, start, end, at, offset, siftedGroups(), siftedEnd());
        },
      };
    },
    endGroup(rows) {
      flush();
      // What was kept comes once more, out of its order.
      for (const { run } of tallies.values()) run?.end();
      columns.endGroup(rows);
    },
    finish() {
      flush();
      return secrets.finish();
    },
  };
};

const hasSpace = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let at = start; at < end; at++) if (bytes[at] === 0x20) return true;
  return false;
};

const isUtf8 = (bytes: Uint8Array): boolean => {
  try {
    checkUtf8(bytes);
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};
