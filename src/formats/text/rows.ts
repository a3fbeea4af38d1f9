import { createOffsets, decodeUtf8, utf8Length } from '../../bytes/utf8.ts';
import type { Dataset } from '../../content/injection/dataset.ts';
import type { Block, RawBlock } from './decode.ts';
import { createQuickTable, type QuickTable } from './quick-table.ts';
import { hasOther, RECORD, recordAt, type Table, tableOf } from './table.ts';

/** Lines shorter than this stand for themselves: lists, vocabularies. Longer ones are wrapped prose and go on. */
const WRAPPED = 40;
/** Characters of one passage. */
const PASSAGE = 8 * 1024;
/** Words of a document that speaks about injected text. */
const ABOUT = /prompt.?injection|jailbreak|adversarial|red.?team/i;

/** Reads a text block by block as rows of a dataset: the records of a table, or passages of prose. */
export type TextRows = {
  /** `raw` is the block as it lies in the file. */
  add(block: Block, raw?: RawBlock): void;
  /** Reads a block of valid UTF-8 of a table as it lies; answers with false when it must be added as text. */
  addBytes(raw: RawBlock): boolean;
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
  /** Reads tables as they lie, until a record is too long for it; what is left of a block then is bytes. */
  let quick: QuickTable | undefined;
  let rest: Uint8Array = new Uint8Array();

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
      // What ends with the block may go on in the next.
      if (!whole && at >= text.length && at - start < PASSAGE) return start;
      if (!fence && line.trim().length >= WRAPPED && end - start < PASSAGE && at < text.length) continue;
      if (last > start) {
        dataset.passage(text.slice(start, last), offsetOf(start), about, about && fenced);
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

  /** Takes the records of a block; those in which something may be are read one by one. */
  const readBytes = (table: Table, quick: QuickTable, bytes: Uint8Array): void => {
    let at = 0;
    for (;;) {
      const end = quick.take(bytes, at, base);
      if (end < 0 || end - at > RECORD) break;
      if (!quick.taken()) {
        quick.flush();
        const start = base + at;
        readTable(decodeUtf8(bytes.subarray(at, end)), table, (place) => (place === 0 ? start : base + end));
      }
      at = end;
    }
    base += at;
    rest = bytes.slice(at);
  };
  /** From here on the records are read as text. */
  const leaveBytes = (): void => {
    quick?.flush();
    quick = undefined;
    carried = decodeUtf8(rest);
    rest = new Uint8Array();
  };

  return {
    addBytes({ bytes }) {
      if (table === undefined || quick === undefined || rest.length > RECORD) return false;
      readBytes(table, quick, rest.length === 0 ? bytes : together(rest, bytes));
      return true;
    },
    add({ text, offset, narrow }, raw) {
      if (!begun) {
        begun = true;
        base = offset;
        table = tableOf(text);
        if (table !== undefined && raw?.encoding.name === 'utf-8') quick = createQuickTable(dataset, table);
      }
      if (raw !== undefined && this.addBytes(raw)) return;
      if (quick !== undefined) leaveBytes();
      about ||= table === undefined && ABOUT.test(text);
      read(carried + text, narrow && carried === '', false);
    },
    end() {
      if (quick !== undefined) leaveBytes();
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

const together = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
};
