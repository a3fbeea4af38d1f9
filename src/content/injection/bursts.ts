import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';

/** Words in a row that are the same in many rows: fewer are idioms, more are told apart by one changed word. */
const SHINGLE = 13;
/** Rows with the same passage that are a burst, and the share of rows from which it is the form of the set. */
const ROWS = 50;
const SHARE = 0.5;
/** Rows that have the token beside those with the passage: then it is a word of the set. */
const ELSEWHERE = 0.1;
/** What is remembered: passages, tokens. */
const REMEMBERED = 50_000;
/** Cells of a row, words of a cell, letters of a token and tokens of a cell that are looked at. */
const CELLS = 12;
const WORDS = 400;
const TOKEN = 40;
const TOKENS = 6;
const TOLD = 3;

/** Letters with digits or signs between them, or in brackets of their own: what a plain text has few of. */
const RARE =
  /^(?:(?=\w*[A-Za-z])(?=\w*\d)\w{4,20}|[A-Za-z]{1,12}[|~^#@$*+][A-Za-z0-9]{1,12}|[|<[{]{1,3}[A-Za-z0-9_-]{2,20}[|>\]}]{1,3})$/;

/** What every rare token has in it: text without any is not cut into words. */
const SIGN = /[0-9|~^#@$*+<[{]/;

type Passage = { rows: number; readonly token: string; readonly shown: string };

/**
 * Looks for rows that were planted by the dozen: one passage with one rare token in it, again and again, and the token
 * nowhere else. It may be a notice that somebody repeats; so it is only told.
 */
export type Bursts = { row(cells: readonly { readonly text: string }[]): void; finish(): Remark[] };

export const createBursts = (): Bursts => {
  const passages = new Map<string, Passage>();
  const tokens = new Map<string, number>();
  let rows = 0;

  const note = (token: string, passage: string): void => {
    const known = passages.get(passage);
    if (known !== undefined) known.rows += 1;
    else if (passages.size < REMEMBERED)
      passages.set(passage, { rows: 1, token: printable(token), shown: printable(passage, 160) });
  };

  return {
    row(cells) {
      rows += 1;
      const seen = new Set<string>();
      for (const { text } of cells.slice(0, CELLS)) {
        if (text.length < SHINGLE * 2 || !SIGN.test(text)) continue;
        const words = text.slice(0, WORDS * 8).split(/\s+/, WORDS);
        for (let at = 0, looked = 0; at < words.length && looked < TOKENS; at++) {
          const word = words[at] ?? '';
          if (word.length < 3 || word.length > TOKEN || !SIGN.test(word) || !RARE.test(word) || seen.has(word))
            continue;
          looked += 1;
          seen.add(word);
          const token = printable(word);
          if (tokens.has(token) || tokens.size < REMEMBERED) tokens.set(token, (tokens.get(token) ?? 0) + 1);
          const start = Math.max(0, Math.min(at - (SHINGLE >> 1), words.length - SHINGLE));
          if (words.length >= SHINGLE) note(word, printable(words.slice(start, start + SHINGLE).join(' '), 400));
        }
      }
    },
    finish: () =>
      [...passages.values()]
        .filter(({ rows: count, token }) => {
          const everywhere = tokens.get(token) ?? 0;
          return count >= ROWS && count <= rows * SHARE && everywhere <= count * (1 + ELSEWHERE);
        })
        .slice(0, TOLD)
        .map(({ rows: count, token, shown }) => ({
          rule: 'text.burst',
          severity: 'info',
          message: `${count} of ${rows} rows have one passage with the token ${token}, which stands nowhere else`,
          offset: 0,
          evidence: shown,
          refs: ['LLM04:2025', 'AML.T0020', 'NISTAML.013'],
        })),
  };
};
