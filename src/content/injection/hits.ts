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

/** Letters by which phrases are looked up; Latin ones by one more. */
const KEY = 2;
const LATIN_KEY = KEY + 1;
/** Characters between the letters of a phrase: letters set apart or with invisible ones between are still a phrase. */
const STRETCH = 8;
/** Hits kept of one text. */
const HITS = 4000;

const asText = (letters: Uint16Array): string => {
  if (letters.length <= 4096) return Reflect.apply(String.fromCharCode, null, letters);
  const parts: string[] = [];
  for (let at = 0; at < letters.length; at += 4096) parts.push(asText(letters.subarray(at, at + 4096)));
  return parts.join('');
};

const listPhrases = (): ReadonlyMap<string, readonly Phrase[]> => {
  const byKey = new Map<string, Phrase[]>();
  for (const group of GROUPS)
    for (const raw of PHRASES[group].split(',')) {
      const text = raw.trim();
      const letters = asText(Uint16Array.from(foldedLetters(text)));
      const anywhere = isUnspaced(text.charCodeAt(0));
      const phrase = { group, text, letters, open: anywhere || text.endsWith('*'), anywhere };
      const key = letters.slice(0, KEY);
      byKey.set(key, [...(byKey.get(key) ?? []), phrase]);
    }
  return byKey;
};

type Listed = {
  readonly byKey: ReadonlyMap<string, readonly Phrase[]>;
  /** The same by three Latin letters, as far as they were asked for. */
  readonly byLatin: Map<string, readonly Phrase[]>;
  /** Which three Latin letters a phrase begins with, by their places in the alphabet: few words do. */
  readonly begins: Uint8Array;
};

/** The place of a Latin letter in the alphabet, from 1; 0 for other letters. */
const latin = (letter: number): number => (letter >= 0x61 && letter <= 0x7a ? letter - 0x60 : 0);
const latinKey = (first: number, second: number, third: number): number =>
  (latin(first) << 10) | (latin(second) << 5) | latin(third);

const list = (): Listed => {
  const byKey = listPhrases();
  const begins = new Uint8Array(1 << 15);
  for (const { letters } of [...byKey.values()].flat()) {
    const key = latinKey(letters.charCodeAt(0), letters.charCodeAt(1), letters.charCodeAt(2));
    // Behind a shorter phrase any letter may stand.
    if (letters.length < LATIN_KEY) begins.fill(1, key, key + 32);
    else begins[key] = 1;
  }
  return { byKey, byLatin: new Map(), begins };
};

let listed: Listed | undefined;

/** Makes the list of phrases now: for snapshots. */
export const preparePhrases = (): void => {
  listed ??= list();
};

/** The phrases that may begin at `from`. */
const candidatesAt = (
  letters: string,
  from: number,
  { byKey, byLatin, begins }: Listed,
): readonly Phrase[] | undefined => {
  const [first, second, third] = [letters.charCodeAt(from), letters.charCodeAt(from + 1), letters.charCodeAt(from + 2)];
  if (latin(first) === 0 || latin(second) === 0 || latin(third) === 0)
    return byKey.get(letters.slice(from, from + KEY));
  if (begins[latinKey(first, second, third)] !== 1) return undefined;
  const key = letters.slice(from, from + LATIN_KEY);
  const known = byLatin.get(key);
  if (known !== undefined) return known;
  const found = (byKey.get(key.slice(0, KEY)) ?? []).filter((phrase) =>
    key.startsWith(phrase.letters.slice(0, LATIN_KEY)),
  );
  byLatin.set(key, found);
  return found;
};

/** A sentence ends between two places when a full stop or an empty line is there. */
export const sentenceEnds = (between: string): boolean => /[.!?;](?:\s|$)|[。！？؟]|\n\s*\n/.test(between);

/** Whether `phrase` stands at `from`; a loop costs less than a call of the engine, which most phrases are not worth. */
const standsAt = (letters: string, phrase: string, from: number): boolean => {
  for (let at = phrase.length - 1; at >= 0; at--)
    if (letters.charCodeAt(from + at) !== phrase.charCodeAt(at)) return false;
  return true;
};

/** Every phrase in `text`, in order. Linear: at each letter the few phrases that begin with it are compared. */
export const hitsIn = (text: string): readonly Hit[] => {
  preparePhrases();
  const known = listed ?? list();
  const folds = foldsOf();
  const units = new Uint16Array(text.length);
  const places = new Uint32Array(text.length);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = folds[text.charCodeAt(at)] ?? 0;
    if (letter === 0) continue;
    units[count] = letter;
    places[count++] = at;
  }
  const letters = asText(units.subarray(0, count));
  const hits: Hit[] = [];
  /** Letters at which a phrase ended: another may begin there inside a word. */
  const ends = new Uint8Array(count + 1);
  for (let from = 0; from < letters.length - 1; from++) {
    const start = places[from] ?? 0;
    const begins =
      !isWordUnit(text.charCodeAt(start - 1)) || isUnspaced(text.charCodeAt(start - 1)) || ends[from] === 1;
    if (!begins && !isUnspaced(letters.charCodeAt(from))) continue;
    const candidates = candidatesAt(letters, from, known);
    if (candidates === undefined) continue;
    for (const phrase of candidates) {
      if (!(begins || phrase.anywhere) || !standsAt(letters, phrase.letters, from)) continue;
      const to = from + phrase.letters.length;
      const end = (places[to - 1] ?? 0) + 1;
      if (end - start > STRETCH * phrase.letters.length) continue;
      const between = text.slice(start, end);
      if (/[.!?;]\s|\n\s{0,20}\n/.test(between)) continue;
      if (!phrase.open && isWordUnit(text.charCodeAt(end)) && !continues(letters, to, known)) continue;
      ends[to] = 1;
      if (hits.length < HITS) hits.push({ phrase, group: phrase.group, start, end, from, to });
    }
  }
  return hits;
};

/** Words written together: another phrase begins where this one ends. */
const continues = (letters: string, to: number, known: Listed): boolean =>
  candidatesAt(letters, to, known)?.some((next) => next.letters.length >= 3 && letters.startsWith(next.letters, to)) ??
  false;

/** Whether the letters of a hit were disguised: other scripts, digits, invisible characters, letters set apart. */
export const isDisguised = (text: string, { phrase, start, end }: Hit): boolean => {
  if (phrase.letters.length < 5 || !/^[\x20-\x7e]+$/.test(phrase.text)) return false;
  const written = text.slice(start, end);
  if (/[\u0370-\u058f\u200b-\u200f\u2060-\u2064\ufeff\u00ad\uff01-\uff5e\ud835\ud83c]/.test(written)) return true;
  if (/[a-z][0134578@$|]|[0134578@$|][a-z]/i.test(written)) return true;
  return /^[a-z](?:[^a-z]{1,3}[a-z]){4}/i.test(written);
};
