import { createOffsets, utf8Length } from '../../bytes/utf8.ts';
import type { Dataset } from '../../content/injection/dataset.ts';
import type { Block } from './decode.ts';
import { hasOther, recordAt, type Table, tableOf } from './table.ts';

/** Lines shorter than this stand for themselves: lists, vocabularies. Longer ones are wrapped prose and go on. */
const WRAPPED = 40;
/** Characters of one passage. */
const PASSAGE = 8 * 1024;
/** Words of a document that speaks about injected text. */
const ABOUT = /prompt.?injection|jailbreak|adversarial|red.?team/i;

/** Reads a text block by block as rows of a dataset: the records of a table, or passages of prose. */
export type TextRows = {
  add(block: Block): void;
  /** Reads what is left when the text has ended without a line feed. */
  end(): void;
  /** How the text is a table, when it is one. */
  table(): Table | undefined;
};

/** Rows of a text that is a table when its first block is one. */
export const createTextRows = (dataset: Dataset): TextRows => {
  let carried = '';
  let base = 0;
  let begun = false;
  let table: Table | undefined;
  let fenced = false;
  let about = false;

  const readTable = (
    text: string,
    { separator, columns }: Table,
    offsetOf: (at: number) => number,
    size = Number.POSITIVE_INFINITY,
  ): number => {
    let at = 0;
    for (;;) {
      const record = recordAt(text, at, separator);
      if (record === undefined) return at;
      for (const [index, cell] of record.cells.entries())
        dataset.cell(columns[index] ?? '(more columns)', cell, offsetOf(at));
      const written = text.slice(at, record.end);
      if (record.cells.length > 1 && hasOther(written, separator)) dataset.whole(written, offsetOf(at));
      dataset.endRow(undefined, { start: offsetOf(at), end: Math.min(offsetOf(record.end), size) });
      at = record.end;
    }
  };

  const readProse = (text: string, whole: boolean, offsetOf: (at: number) => number): number => {
    let start = 0;
    for (let at = 0; ; ) {
      const feed = text.indexOf('\n', at);
      if (feed < 0 && !whole) return start;
      const end = feed < 0 ? text.length : feed;
      const line = text.slice(at, end);
      const fence = line.startsWith('```') || line.startsWith('~~~');
      const last = fence ? at : end;
      at = end + 1;
      if (!fence && line.trim().length >= WRAPPED && end - start < PASSAGE && at < text.length) continue;
      if (last > start) {
        dataset.cell('text', text.slice(start, last), offsetOf(start), about, about && fenced);
        dataset.endRow();
      }
      if (fence) fenced = !fenced;
      start = at;
      if (at >= text.length) return text.length;
    }
  };

  const read = (text: string, narrow: boolean, whole: boolean, size?: number): void => {
    const offsets = narrow ? (at: number) => at : createOffsets(text);
    const offsetOf = (at: number): number => base + offsets(at);
    const used = table === undefined ? readProse(text, whole, offsetOf) : readTable(text, table, offsetOf, size);
    carried = text.slice(used);
    base = offsetOf(used);
  };

  return {
    add({ text, offset, narrow }) {
      if (!begun) {
        begun = true;
        base = offset;
        table = tableOf(text);
      }
      about ||= table === undefined && ABOUT.test(text);
      read(carried + text, narrow && carried === '', false);
    },
    end() {
      if (carried === '') return;
      if (table === undefined) read(carried, false, true);
      else read(`${carried}\n`, false, true, base + utf8Length(carried));
      if (table === undefined || carried === '') return;
      // A quotation mark that never closes: what stands behind it is read as it is.
      dataset.cell('text', carried, base);
      dataset.endRow();
    },
    table: () => table,
  };
};
