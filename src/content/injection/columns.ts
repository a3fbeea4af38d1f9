import { NO_BYTES } from '../../formats/dataset-rows.ts';
import type { Dataset } from './dataset.ts';
import { examine } from './examine.ts';

/** Cells with something in them that are kept until their group of rows ends. */
const KEPT = 20_000;
/** Different texts whose harmlessness is remembered: columns repeat themselves. */
const REMEMBERED = 4096;
const LABEL = 40;
/** Characters of a text that is remembered. */
const LONG = 1000;

/** A set of rows that is read column by column: what is found is put together again when a group of rows ends. */
export type Columns = {
  cell(column: string, row: number, text: string, offset: number): void;
  /** Ends a group of `rows` rows. */
  endGroup(rows: number): void;
};

type Kept = { readonly column: string; readonly text: string; readonly offset: number };

export const createColumns = (dataset: Dataset): Columns => {
  const kept = new Map<number, Kept[]>();
  const harmless = new Set<string>();
  let before = 0;
  let count = 0;
  return {
    cell(column, row, text, offset) {
      const short = text.length <= LABEL;
      if (!short && harmless.has(text)) {
        dataset.look(column, text);
        dataset.pass(column);
        return;
      }
      const telling = dataset.isLabel(column, text) || examine(text) !== undefined;
      if (telling && count < KEPT) {
        count += 1;
        kept.set(row, [...(kept.get(row) ?? []), { column, text, offset }]);
        return;
      }
      if (!short && text.length <= LONG && !telling && harmless.size < REMEMBERED) harmless.add(text);
      dataset.look(column, text);
      dataset.pass(column);
    },
    endGroup(rows) {
      for (const [row, cells] of [...kept].sort(([a], [b]) => a - b)) {
        for (const { column, text, offset } of cells) dataset.cell(column, text, offset);
        dataset.endRow(before + row + 1, NO_BYTES);
      }
      before += rows;
      dataset.passRows(Math.max(0, rows - kept.size));
      kept.clear();
      count = 0;
    },
  };
};
