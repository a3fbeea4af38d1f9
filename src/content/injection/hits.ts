import { foldedLetters, foldsOf, isUnspaced, isWordUnit } from './fold.ts';
import { GROUPS, type Group, PHRASES } from './phrases.ts';

/** One way to say something, as the text is compared with it. */
export type Phrase = {
  readonly group: Group;
  readonly text: string;
  readonly letters: Uint16Array;
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
/** Keys of three Latin letters. */
const LATIN_KEYS = 1 << 15;
/** Characters between the letters of a phrase: letters set apart or with invisible ones between are still a phrase. */
const STRETCH = 8;
/** Hits kept of one text. */
const HITS = 4000;

const keyOf = (first: number, second: number): number => first * 0x10000 + second;

const listPhrases = (): ReadonlyMap<number, readonly Phrase[]> => {
  const byKey = new Map<number, Phrase[]>();
  for (const group of GROUPS)
    for (const raw of PHRASES[group].split(',')) {
      const text = raw.trim();
      const letters = Uint16Array.from(foldedLetters(text));
      const anywhere = isUnspaced(text.charCodeAt(0));
      const phrase = { group, text, letters, open: anywhere || text.endsWith('*'), anywhere };
      const key = keyOf(letters[0] ?? 0, letters[1] ?? 0);
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [phrase]);
      else known.push(phrase);
    }
  return byKey;
};

type Listed = {
  readonly byKey: ReadonlyMap<number, readonly Phrase[]>;
  /** By three Latin letters, their places in the alphabet: the number of a list of `lists`, 0 for none. Few words have one. */
  readonly byLatin: Uint16Array;
  readonly lists: readonly (readonly Phrase[])[];
};

/** The place of a Latin letter in the alphabet, from 1; 0 for other letters. */
const latin = (letter: number): number => (letter >= 0x61 && letter <= 0x7a ? letter - 0x60 : 0);

const list = (): Listed => {
  const byKey = listPhrases();
  const byLatin = new Uint16Array(LATIN_KEYS);
  const lists: (readonly Phrase[])[] = [[]];
  for (const phrases of byKey.values()) {
    const [first = 0, second = 0] = phrases[0]?.letters ?? [];
    if (latin(first) === 0 || latin(second) === 0) continue;
    for (let third = 1; third < 32; third++) {
      // Behind a shorter phrase any letter may stand.
      const fitting = phrases.filter(({ letters }) => letters.length < LATIN_KEY || latin(letters[2] ?? 0) === third);
      if (fitting.length > 0) byLatin[(latin(first) << 10) | (latin(second) << 5) | third] = lists.push(fitting) - 1;
    }
  }
  return { byKey, byLatin, lists };
};

let listed: Listed | undefined;

/** Makes the list of phrases now: for snapshots. */
export const preparePhrases = (): void => {
  listed ??= list();
};

/** The phrases that may begin at `from`, of `count` letters. */
const candidatesAt = (
  letters: Uint16Array,
  from: number,
  count: number,
  { byKey, byLatin, lists }: Listed,
): readonly Phrase[] | undefined => {
  const first = letters[from] ?? 0;
  const second = from + 1 < count ? (letters[from + 1] ?? 0) : 0;
  const third = from + 2 < count ? (letters[from + 2] ?? 0) : 0;
  if (latin(first) === 0 || latin(second) === 0 || latin(third) === 0) return byKey.get(keyOf(first, second));
  const found = byLatin[(latin(first) << 10) | (latin(second) << 5) | latin(third)] ?? 0;
  return found === 0 ? undefined : lists[found];
};

/** A sentence ends between two places when a full stop or an empty line is there. */
export const sentenceEnds = (between: string): boolean => /[.!?;](?:\s|$)|[。！？؟]|\n\s*\n/.test(between);

/** Whether `phrase` stands at `from`, in `count` letters. */
const standsAt = (letters: Uint16Array, phrase: Uint16Array, from: number, count: number): boolean => {
  if (from + phrase.length > count) return false;
  for (let at = phrase.length - 1; at >= 0; at--) if (letters[from + at] !== phrase[at]) return false;
  return true;
};

/** A text folded: its letters, their places in it, and at which of them a phrase may begin. Overwritten by the next text. */
type Folded = { letters: Uint16Array; places: Uint32Array; begins: Uint8Array };
let folded: Folded = { letters: new Uint16Array(), places: new Uint32Array(), begins: new Uint8Array() };

/** At the beginning of a word, or behind another phrase; and in scripts without spaces, where only some phrases may. */
const WORD = 1;
const INSIDE = 2;

/** Folds `text` into `folded`; answers with how many letters it has. */
const fold = (text: string): number => {
  if (folded.letters.length <= text.length) {
    const size = Math.max(4096, 2 * text.length);
    folded = { letters: new Uint16Array(size), places: new Uint32Array(size), begins: new Uint8Array(size) };
  }
  const folds = foldsOf();
  const { letters, places, begins } = folded;
  let count = 0;
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const letter = folds[unit] ?? 0;
    if (letter === 0) {
      inWord = false;
      continue;
    }
    letters[count] = letter;
    places[count] = at;
    begins[count] = (inWord ? 0 : WORD) | (letter >= 0xe01 && isUnspaced(letter) ? INSIDE : 0);
    count += 1;
    // As isWordUnit and isUnspaced say.
    inWord = unit < 0x80 ? (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a : unit < 0xe01 || !isUnspaced(unit);
  }
  begins[count] = 0;
  return count;
};

/** Every phrase in `text`, in order. Linear: at each letter the few phrases that begin with it are compared. */
export const hitsIn = (text: string): readonly Hit[] => {
  preparePhrases();
  const known = listed ?? list();
  const count = fold(text);
  const { letters, places, begins } = folded;
  const hits: Hit[] = [];
  for (let from = 0; from < count - 1; from++) {
    const begin = begins[from] ?? 0;
    if (begin === 0) continue;
    const candidates = candidatesAt(letters, from, count, known);
    if (candidates === undefined) continue;
    const start = places[from] ?? 0;
    for (const phrase of candidates) {
      if (!((begin & WORD) !== 0 || phrase.anywhere) || !standsAt(letters, phrase.letters, from, count)) continue;
      const to = from + phrase.letters.length;
      const end = (places[to - 1] ?? 0) + 1;
      if (end - start > STRETCH * phrase.letters.length) continue;
      const between = text.slice(start, end);
      if (/[.!?;]\s|\n\s{0,20}\n/.test(between)) continue;
      if (!phrase.open && isWordUnit(text.charCodeAt(end)) && !continues(letters, to, count, known)) continue;
      // Another phrase may begin there inside a word.
      begins[to] = (begins[to] ?? 0) | WORD;
      if (hits.length < HITS) hits.push({ phrase, group: phrase.group, start, end, from, to });
    }
  }
  return hits;
};

/** Words written together: another phrase begins where this one ends. */
const continues = (letters: Uint16Array, to: number, count: number, known: Listed): boolean =>
  candidatesAt(letters, to, count, known)?.some(
    (next) => next.letters.length >= 3 && standsAt(letters, next.letters, to, count),
  ) ?? false;

/** Whether the letters of a hit were disguised: other scripts, digits, invisible characters, letters set apart. */
export const isDisguised = (text: string, { phrase, start, end }: Hit): boolean => {
  if (phrase.letters.length < 5 || !/^[\x20-\x7e]+$/.test(phrase.text)) return false;
  const written = text.slice(start, end);
  if (/[\u0370-\u058f\u200b-\u200f\u2060-\u2064\ufeff\u00ad\uff01-\uff5e\ud835\ud83c]/.test(written)) return true;
  if (/[a-z][0134578@$|]|[0134578@$|][a-z]/i.test(written)) return true;
  return /^[a-z](?:[^a-z]{1,3}[a-z]){4}/i.test(written);
};
