import { checkUtf8 } from '../../bytes/utf8.ts';
import { createColumns } from '../../content/injection/columns.ts';
import { type Dataset, mayLabel } from '../../content/injection/dataset.ts';
import { FLAGS, sift, siftedUnits } from '../../content/injection/sieve/bytes.ts';
import type { Remark } from '../../content/remark.ts';
import { createSecretCells } from '../../content/secret-cells.ts';
import { mayBeHash } from '../../content/url-list.ts';
import { isFault } from '../../errors.ts';
import { textOfCell } from './cell-text.ts';

/** Bytes of a cell that may label its row. */
const LABEL = 160;

/** Reads the cells of tables that are kept column by column. */
export type CellReader = {
  /** One cell; `row` counts within its group. */
  cell(column: string, row: number, bytes: Uint8Array, offset: number): void;
  /** Ends a group of `rows` rows. */
  endGroup(rows: number): void;
  /** What there is to say about credentials. */
  finish(): Remark[];
};

/** What was counted of a column since its group began: cells, those that are not empty, and their characters. */
type Tally = { readonly column: string; readonly labels: boolean; cells: number; filled: number; characters: number };

/** Most cells are told to be harmless as they lie; only the others are decoded. */
export const createCellReader = (dataset: Dataset): CellReader => {
  const columns = createColumns(dataset);
  const secrets = createSecretCells();
  const tallies = new Map<string, Tally>();
  let last: Tally | undefined;

  const tallyOf = (column: string): Tally => {
    if (last?.column === column) return last;
    const known = tallies.get(column);
    last = known ?? { column, labels: mayLabel(column), cells: 0, filled: 0, characters: 0 };
    if (known === undefined) tallies.set(column, last);
    return last;
  };
  /** Counts a cell in which nothing is, or says that it must be read. */
  const passes = (column: string, bytes: Uint8Array): boolean => {
    if (dataset.wantsRow(1)) return false;
    const tally = tallyOf(column);
    if (tally.labels && bytes.length <= LABEL) return false;
    if (sift(bytes, 0, bytes.length, false) % FLAGS !== 0) return false;
    const units = siftedUnits();
    if (units !== bytes.length && !isUtf8(bytes)) return false;
    if (mayBeHash(units, bytes.includes(0x20))) return false;
    // A column is listed where its first cell stands.
    if (tally.cells === 0) dataset.pass(column, 0);
    tally.cells += 1;
    if (units > 0) tally.filled += 1;
    tally.characters += units;
    return true;
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
    cell(column, row, bytes, offset) {
      if (passes(column, bytes)) return;
      const text = textOfCell(bytes);
      columns.cell(column, row, text, offset);
      secrets.cell(column, text, offset);
    },
    endGroup(rows) {
      flush();
      columns.endGroup(rows);
    },
    finish() {
      flush();
      return secrets.finish();
    },
  };
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
