import { printable } from '../formats/format.ts';
import type { Remark } from './remark.ts';

/** Columns that are looked at. */
const COLUMNS = 300;
/** Cells of addresses from which a data set lists them, and their share of the column. */
const CELLS = 20;
const SHARE = 0.9;
/** Characters of an address. */
const ADDRESS = 2048;
/** Characters of a cell on average from which the data set itself holds what it is made of, not only where that is. */
const PROSE = 250;

/** A column that says what the bytes behind an address were. */
const HASH_NAME =
  /(?:^|[._ -])(?:sha[-_]?\d{0,3}|md5|blake\w{0,4}|xxh\w{0,4}|[apdw]?hash(?:es)?|hash_?(?:value|hex)|checksum|digest|etag|fingerprint|integrity|\w{1,20}_(?:sha\d{1,3}|md5|hash|checksum|digest|phash))(?:$|\[|[._ -])/i;
const HASH_LENGTHS: ReadonlySet<number> = new Set([32, 40, 56, 64, 96, 128]);
const HASH = /^[0-9a-f]+$/i;
const PREFIXED = /^(?:sha\d{1,3}|md5|blake\w{1,4})[-:][\w+/=-]{16,200}$/i;

/** Whether a text of so many characters, with a space in it or not, may be what lists of addresses are told by, `://` apart. */
export const mayBeHash = (characters: number, spaced: boolean): boolean =>
  !spaced && characters >= 20 && characters <= 220;

const isAddress = (text: string): boolean =>
  text.length <= ADDRESS && /^(?:https?|ftp|s3|gs):\/\/[^\s/]{1,255}(?:\/\S*)?$/i.test(text.trim());
const isHash = (text: string): boolean =>
  (HASH_LENGTHS.has(text.length) && HASH.test(text) && /\d/.test(text)) || PREFIXED.test(text);

type Column = { cells: number; addresses: number; hashes: number; characters: number };

/**
 * Tells data sets that are lists of addresses without digests: whoever holds an address later decides what is trained
 * on (split-view poisoning: Carlini et al., Poisoning Web-Scale Training Datasets is Practical, 2023).
 */
export type UrlList = {
  cell(column: string, text: string): void;
  /** Counts cells that are neither addresses nor digests, none of them empty, and their characters. */
  tally(column: string, cells: number, characters: number): void;
  /** A column that has no text in it. */
  column(name: string): void;
  /** What there is to say about a set of `rows` rows; a document that is one row lists addresses of its own. */
  finish(rows: number): Remark[];
};

export const createUrlList = (): UrlList => {
  const columns = new Map<string, Column>();
  let hashed = false;
  const columnOf = (name: string): Column | undefined => {
    const known = columns.get(name);
    if (known !== undefined || columns.size >= COLUMNS) return known;
    hashed ||= HASH_NAME.test(name);
    const made = { cells: 0, addresses: 0, hashes: 0, characters: 0 };
    columns.set(name, made);
    return made;
  };
  return {
    column: (name) => void columnOf(name),
    cell(name, text) {
      const column = columnOf(name);
      if (column === undefined || text === '') return;
      column.cells += 1;
      column.characters += text.length;
      if (text.includes('://')) {
        if (isAddress(text)) column.addresses += 1;
      } else if (isHash(text)) column.hashes += 1;
    },
    tally(name, cells, characters) {
      const column = columnOf(name);
      if (column === undefined) return;
      column.cells += cells;
      column.characters += characters;
    },
    finish(rows) {
      if (rows < CELLS) return [];
      const all = [...columns];
      const listed = all.filter(([, { cells, addresses }]) => addresses >= CELLS && addresses >= cells * SHARE);
      const most = Math.max(0, ...listed.map(([, { addresses }]) => addresses));
      const held = all.some(
        ([name, { cells, characters }]) =>
          characters / Math.max(1, cells) >= PROSE && !listed.some(([other]) => other === name),
      );
      const told = all.some(([, { cells, hashes }]) => hashes >= CELLS * SHARE && hashes >= cells * SHARE);
      const [first] = listed;
      if (first === undefined || held || told || hashed) return [];
      return listed
        .filter(([, { addresses }]) => addresses === most)
        .slice(0, 1)
        .map(remarkOn);
    },
  };
};

const remarkOn = ([name, { cells, addresses }]: readonly [string, Column]): Remark => ({
  rule: 'dataset.url-list-without-hash',
  severity: 'low',
  message: `${printable(name, 60)}: ${addresses} of ${cells} cells are addresses, and no column has a digest of what stands behind them`,
  offset: 0,
  refs: ['CWE-353', 'CWE-494', 'LLM04:2025', 'AML.T0020', 'NISTAML.013'],
});
