import { MIB } from '../../bytes/limits.ts';

/** Separators of cells, in the order in which they are tried. */
const SEPARATORS = ['\t', ',', ';', '|'];
/** Records that must agree before a text is a table, and characters in which they are looked for. */
const RECORDS = 20;
const SAMPLE = 64 * 1024;
/** Cells of one record. */
export const CELLS = 4096;
/** Characters of one record; a quotation mark that never closes ends here. */
export const RECORD = 1 * MIB;
/** Characters of a column's name. */
const NAME = 64;

/** How a text is a table (RFC 4180 and its relatives). */
export type Table = { readonly separator: string; readonly columns: readonly string[]; readonly header: boolean };

type Taken = { readonly cells: readonly string[]; readonly end: number };

/**
 * The record at `start`: its cells and where it ends, behind its line feed. Nothing when the text ends within it.
 * Linear: each cell is looked at once.
 */
export const recordAt = (text: string, start: number, separator: string): Taken | undefined => {
  const cells: string[] = [];
  let at = start;
  for (;;) {
    if (cells.length < CELLS && text.charAt(at) === '"') {
      const quoted = quotedAt(text, at, start + RECORD);
      if (quoted === undefined) return text.length - start > RECORD ? lineAt(text, start) : undefined;
      at = quoted.end;
      if (text.charAt(at) === separator) {
        cells.push(quoted.cell);
        at += 1;
        continue;
      }
      const feed = text.indexOf('\n', at);
      if (feed < 0) return undefined;
      // What stands behind the closing mark belongs to the cell, as readers take it.
      const next = separatorIn(text, at, feed, separator);
      cells.push(quoted.cell + text.slice(at, next ?? feed).replace(/\r$/, ''));
      if (next === undefined) return { cells, end: feed + 1 };
      at = next + 1;
      continue;
    }
    const feed = text.indexOf('\n', at);
    if (feed < 0) return undefined;
    const next = cells.length >= CELLS ? undefined : separatorIn(text, at, feed, separator);
    cells.push(text.slice(at, next ?? feed));
    if (next === undefined) return { cells, end: feed + 1 };
    at = next + 1;
  }
};

/** The next separator before `feed`. Looked for in this line only: in a long text without any, each line would be all of it. */
const separatorIn = (text: string, at: number, feed: number, separator: string): number | undefined => {
  const found = text.slice(at, feed).indexOf(separator);
  return found < 0 ? undefined : at + found;
};

const lineAt = (text: string, start: number): Taken => {
  const feed = text.indexOf('\n', start);
  return { cells: [text.slice(start, feed < 0 ? text.length : feed)], end: feed < 0 ? text.length : feed + 1 };
};

/** A quoted cell: doubled quotation marks stand for one. */
const quotedAt = (text: string, start: number, limit: number): { cell: string; end: number } | undefined => {
  let cell = '';
  let from = start + 1;
  for (;;) {
    const close = text.indexOf('"', from);
    if (close < 0 || close > limit) return undefined;
    cell += text.slice(from, close);
    if (text.charAt(close + 1) !== '"') return { cell, end: close + 1 };
    cell += '"';
    from = close + 2;
  }
};

/** What readers separate cells by who are not told otherwise. */
export const USUAL = [',', '\t'];

/** Whether readers who separate cells by something else would take a record apart in another way. */
export const hasOther = (record: string, separator: string): boolean =>
  USUAL.some((other) => other !== separator && record.includes(other));

/** How the text that begins with `sample` is a table, or nothing: the first records have the same number of cells. */
export const tableOf = (sample: string): Table | undefined => {
  const text = sample.slice(0, SAMPLE);
  for (const separator of SEPARATORS) {
    const records: (readonly string[])[] = [];
    for (let at = 0; at < text.length && records.length < RECORDS; ) {
      const record = recordAt(text, at, separator);
      if (record === undefined) break;
      if (record.cells.some((cell) => cell.trim() !== '')) records.push(record.cells);
      at = record.end;
    }
    const [first, ...others] = records;
    if (first === undefined || others.length === 0 || first.length < 2) continue;
    if (others.every(({ length }) => length === first.length)) return describe(separator, first);
  }
  return undefined;
};

/** The first record names the columns when every cell of it is a name. */
const describe = (separator: string, first: readonly string[]): Table => {
  const names = first.map((cell) => cell.trim());
  const header =
    new Set(names).size === names.length &&
    names.every((name) => name.length <= NAME && !/^-?[\d.]+$/.test(name) && !/[.!?]\s/.test(name));
  return { separator, header, columns: header ? names : names.map((_, index) => `column ${index + 1}`) };
};
