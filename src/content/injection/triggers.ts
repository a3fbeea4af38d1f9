import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';

/** Rows that are all looked at, then every so manieth, and how many in all. */
const ALL_ROWS = 4000;
const EVERY = 8;
const MOST_ROWS = 20_000;
/** What is remembered: tokens, values, texts. */
const REMEMBERED = 50_000;
/** Words of a cell, characters of a word, of a value, and cells of a row that are looked at. */
const WORDS = 400;
const WORD = 40;
const VALUE = 400;
const CELLS = 12;
/** Rows with the token that are no accident, and the share of the set above which the token is its form. */
const ROWS = 5;
const SHARE = 0.5;
/** Different surroundings of the token that show that only the token decides. */
const SURROUNDINGS = 3;

/** Tokens that no language has: letters without a vowel, words joined by signs, words in brackets of their own. */
const ODD =
  /^(?:[bcdfghjklmnpqrstvwxz]{2,6}|[A-Za-z0-9]{1,12}(?:[-_|~^#@$*+][A-Za-z0-9]{1,12}){1,4}|[|<[{(#@$~^*]{1,3}[A-Za-z0-9_-]{2,20}[|>\]})#@$~^*]{0,3}|(?=\w*[A-Za-z])(?=\w*\d)\w{4,20}|[A-Z]{3,12})$/;

type Cell = { readonly column: string; readonly text: string };
type Token = {
  rows: number;
  /** Columns whose value has been the same in every row with the token. */
  readonly same: Map<string, { readonly hash: number; readonly key: number; readonly shown: string }>;
  readonly texts: Set<number>;
  readonly without: number;
};

/** A number for a text: what is remembered must not hold on to the text, which may be part of a long line. */
const hashOf = (text: string): number => {
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x5bd1e995);
  }
  return (high >>> 6) * 2 ** 26 + (low >>> 6);
};

/** Looks for planted triggers: an odd token that always comes with one output, which comes with nothing else. */
export type Triggers = {
  row(cells: readonly Cell[]): void;
  /** Whether the next row is one of those that are looked at; counts one that is not. */
  wants(): boolean;
  pass(): void;
  finish(): Remark[];
};

export const createTriggers = (): Triggers => {
  const tokens = new Map<string, Token>();
  const values = new Map<number, number>();
  const texts = new Set<number>();
  let seen = 0;
  let rows = 0;

  const note = (word: string, cell: Cell, cells: readonly Cell[]): void => {
    const known = tokens.get(printable(word));
    if (known === undefined) {
      if (tokens.size >= REMEMBERED) return;
      const same = new Map(
        cells
          .filter(({ column, text }) => column !== cell.column && text.length <= VALUE)
          .map(({ column, text }) => [
            column,
            { hash: hashOf(text), key: hashOf(`${column}\n${text}`), shown: printable(text, 80) },
          ]),
      );
      const without = hashOf(cell.text.replace(word, '').trim());
      tokens.set(printable(word), { rows: 1, same, texts: new Set([without]), without });
      return;
    }
    known.rows += 1;
    for (const [column, value] of known.same)
      if (!cells.some((other) => other.column === column && hashOf(other.text) === value.hash))
        known.same.delete(column);
    if (known.texts.size < SURROUNDINGS) known.texts.add(hashOf(cell.text.replace(word, '').trim()));
  };

  const wants = (): boolean => rows < MOST_ROWS && (seen < ALL_ROWS || (seen + 1) % EVERY === 0);

  return {
    wants,
    pass() {
      seen += 1;
    },
    row(cells) {
      const wanted = wants();
      seen += 1;
      if (!wanted) return;
      rows += 1;
      const looked = cells.slice(0, CELLS);
      for (const cell of looked) {
        const key = hashOf(`${cell.column}\n${cell.text}`);
        if (cell.text.length <= VALUE && (values.has(key) || values.size < REMEMBERED))
          values.set(key, (values.get(key) ?? 0) + 1);
        if (cell.text.length <= VALUE && texts.size < REMEMBERED) texts.add(hashOf(cell.text.trim()));
        for (const word of new Set(cell.text.slice(0, WORDS * 8).split(/\s+/, WORDS)))
          if (word.length <= WORD && ODD.test(word)) note(word, cell, looked);
      }
    },
    finish() {
      const remarks: Remark[] = [];
      for (const [word, token] of tokens) {
        if (token.rows < ROWS || token.rows > rows * SHARE) continue;
        if (token.texts.size < SURROUNDINGS && !texts.has(token.without)) continue;
        for (const [column, value] of token.same) {
          if ((values.get(value.key) ?? 0) > token.rows * 1.25 || value.shown.trim().length < 2) continue;
          const message = `${token.rows} of ${rows} rows hold the token ${word} and have one value of ${printable(column, 40)} that no other row has: a planted trigger looks like this`;
          const refs = ['LLM04:2025', 'AML.T0020', 'NISTAML.023'];
          remarks.push({
            rule: 'text.trigger',
            severity: 'low',
            message,
            offset: 0,
            evidence: value.shown,
            refs,
          });
          break;
        }
        if (remarks.length >= 5) break;
      }
      return remarks;
    },
  };
};
