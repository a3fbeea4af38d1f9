import { foldedLetters, foldsOf, isUnspaced, isWordUnit } from './fold.ts';
import { GROUPS, type Group, PHRASES } from './phrases.ts';

/** One way to say something, as the text is compared with it. */
export type Phrase = {
  readonly group: Group;
  readonly text: string;
  readonly letters: string;
  /** Whether the word may go on behind it, and whether it may begin inside one. */
  readonly open: boolean;
  readonly anywhere: boolean;
};

/** A phrase in a text. `start` and `end` are positions in the text, `from` and `to` count letters. */
export type Hit = {
  readonly phrase: Phrase;
  readonly group: Group;
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
};

/** Letters by which phrases are looked up. */
const KEY = 2;
/** Characters between the letters of a phrase: letters set apart or with invisible ones between are still a phrase. */
const STRETCH = 8;
/** Hits kept of one text. */
const HITS = 4000;

const asText = (letters: readonly number[]): string => {
  const parts: string[] = [];
  for (let at = 0; at < letters.length; at += 4096) parts.push(String.fromCharCode(...letters.slice(at, at + 4096)));
  return parts.join('');
};

const listPhrases = (): ReadonlyMap<string, readonly Phrase[]> => {
  const byKey = new Map<string, Phrase[]>();
  for (const group of GROUPS)
    for (const raw of PHRASES[group].split(',')) {
      const text = raw.trim();
      const letters = asText(foldedLetters(text));
      const anywhere = isUnspaced(text.charCodeAt(0));
      const phrase = { group, text, letters, open: anywhere || text.endsWith('*'), anywhere };
      const key = letters.slice(0, KEY);
      byKey.set(key, [...(byKey.get(key) ?? []), phrase]);
    }
  return byKey;
};

let listed: ReadonlyMap<string, readonly Phrase[]> | undefined;

/** Makes the list of phrases now: for snapshots. */
export const preparePhrases = (): void => {
  listed ??= listPhrases();
};

/** A sentence ends between two places when a full stop or an empty line is there. */
export const sentenceEnds = (between: string): boolean => /[.!?;](?:\s|$)|[。！？؟]|\n\s*\n/.test(between);

/** Every phrase in `text`, in order. Linear: at each letter the few phrases that begin with it are compared. */
export const hitsIn = (text: string): readonly Hit[] => {
  listed ??= listPhrases();
  const folds = foldsOf();
  const units: number[] = [];
  const places: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const letter = folds[text.charCodeAt(at)] ?? 0;
    if (letter === 0) continue;
    units.push(letter);
    places.push(at);
  }
  const letters = asText(units);
  const hits: Hit[] = [];
  const ends = new Set<number>();
  for (let from = 0; from < letters.length - 1; from++) {
    const start = places[from] ?? 0;
    const begins = !isWordUnit(text.charCodeAt(start - 1)) || isUnspaced(text.charCodeAt(start - 1)) || ends.has(from);
    if (!begins && !isUnspaced(letters.charCodeAt(from))) continue;
    const candidates = listed.get(letters.slice(from, from + KEY));
    if (candidates === undefined) continue;
    for (const phrase of candidates) {
      if (!(begins || phrase.anywhere) || !letters.startsWith(phrase.letters, from)) continue;
      const to = from + phrase.letters.length;
      const end = (places[to - 1] ?? 0) + 1;
      if (end - start > STRETCH * phrase.letters.length) continue;
      const between = text.slice(start, end);
      if (/[.!?;]\s|\n\s{0,20}\n/.test(between)) continue;
      if (!phrase.open && isWordUnit(text.charCodeAt(end)) && !continues(letters, to)) continue;
      ends.add(to);
      if (hits.length < HITS) hits.push({ phrase, group: phrase.group, start, end, from, to });
    }
  }
  return hits;
};

/** Words written together: another phrase begins where this one ends. */
const continues = (letters: string, to: number): boolean =>
  listed
    ?.get(letters.slice(to, to + KEY))
    ?.some((next) => next.letters.length >= 3 && letters.startsWith(next.letters, to)) ?? false;

/** Whether the letters of a hit were disguised: other scripts, digits, invisible characters, letters set apart. */
export const isDisguised = (text: string, { phrase, start, end }: Hit): boolean => {
  if (phrase.letters.length < 5 || !/^[\x20-\x7e]+$/.test(phrase.text)) return false;
  const written = text.slice(start, end);
  if (/[\u0370-\u058f\u200b-\u200f\u2060-\u2064\ufeff\u00ad\uff01-\uff5e\ud835\ud83c]/.test(written)) return true;
  if (/[a-z][0134578@$|]|[0134578@$|][a-z]/i.test(written)) return true;
  return /^[a-z](?:[^a-z]{1,3}[a-z]){4}/i.test(written);
};
