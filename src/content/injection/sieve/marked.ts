import { BACKSLASH, ESCAPED, hexUnit, KINDS, PIECE, TURN, WIDE } from './kinds.ts';
import { ACTION, FLAGS, LISTED, MARK_SHIFT, marks, ROLE, SPEAKS } from './marks.ts';

/**
 * Most text has no mark, and it takes two bytes a look to say so: wherever a mark begins, some of its letters lie in two
 * pairs of bytes that follow each other. Each pair has bits here: in the lower half for what tells if the pair behind it
 * goes on with the same bit in the upper half, and one bit that tells by itself.
 */
const HALF = 15;
const ALONE = 1 << (2 * HALF);

/** What may stand for a letter of a mark; the blank stands for anything. */
const ANYTHING = ' ';
const ANY = Array.from({ length: 256 }, (_, byte) => byte);
const formsOf = (letter: string | undefined): readonly number[] =>
  letter === undefined || letter === ANYTHING
    ? ANY
    : [...new Set([letter.toLowerCase().charCodeAt(0), letter.toUpperCase().charCodeAt(0)])];

/** Letters of English by how often they stand in text; what is none of them is seldom there. */
const COMMON = ' etaoinshrdlucmwfgypbvkxjqz';
const SELDOM = 0.005;
const costOf = (part: string): number =>
  [...part.toLowerCase()].reduce((cost, letter) => {
    const place = COMMON.indexOf(letter);
    return cost * (place < 0 ? SELDOM : place === 0 ? 1 : 0.2 / (place + 1));
  }, 1);

/** Letters of a mark that are written as they are in JSON, too: behind a backslash only the first may stand. */
const written = (mark: string): string =>
  mark.split(/(?=[/"])/).reduce((best, part) => {
    const plain = part.replace(/^\//, '');
    return plain.length > best.length ? plain : best;
  }, '');

/** The four letters of a mark that are the rarest, of those that begin at `first` or a whole number of pairs later. */
const rarest = (mark: string, first: number): string => {
  const text = `${ANYTHING.repeat(first)}${mark.replaceAll(' ', ANYTHING)}`;
  let best = '';
  for (let at = 0; at < text.length; at += 2) {
    const part = text.slice(at, at + 4).padEnd(4, ANYTHING);
    if (best === '' || costOf(part) < costOf(best)) best = part;
  }
  return best;
};

const buildPairs = (): Uint32Array => {
  const pairs = new Uint32Array(0x10000);
  const set = (two: string, bits: number): void => {
    for (const first of formsOf(two[0]))
      for (const second of formsOf(two[1])) pairs[(first << 8) | second] = (pairs[(first << 8) | second] ?? 0) | bits;
  };
  let turn = 0;
  for (const [mark] of LISTED.filter(([text]) => /^[ -~]+$/.test(text) && text !== '://'))
    for (const first of [0, 1]) {
      const four = rarest(written(mark), first);
      const [begins, ends] = [four.slice(0, 2), four.slice(2)];
      // Pairs of the same mark at both places have bits of their own.
      const bit = 1 << (turn++ % HALF);
      if (ends.trim() === '' || costOf(begins) <= ALONE_FROM) set(begins, ALONE);
      else if (costOf(ends) <= ALONE_FROM) set(ends, ALONE);
      else {
        set(begins, bit);
        set(ends, bit << HALF);
      }
    }
  // Of `://` nothing would be left: each sign may have a backslash before it.
  for (const pair of [':/', ':\\', '//', '/\\', '\\/']) set(pair, ALONE);
  return pairs;
};
/** How rare a pair is that tells by itself. */
const ALONE_FROM = SELDOM * SELDOM * 2;

let built: Uint32Array | undefined;
const NOTHING = new Uint32Array();

/** Makes the table now: for snapshots. */
export const prepareMarks = (): void => {
  built ??= buildPairs();
};

/** Whether a mark may stand between `start` and `end`, in JSON or not: too often, never too seldom. */
export const mayBeMarked = (bytes: Uint8Array, start: number, end: number): boolean => {
  prepareMarks();
  const pairs = built ?? NOTHING;
  let before = 0;
  for (let at = start + 1; at < end; at += 2) {
    const bits = pairs[((bytes[at - 1] ?? 0) << 8) | (bytes[at] ?? 0)] ?? 0;
    // HALF and ALONE, written out: in the isolate a constant of another scope is read again for every byte.
    if ((bits & ((before << 15) | 0x40000000)) !== 0) return true;
    before = bits & 0x7fff;
  }
  if ((end - start) % 2 === 0) return false;
  return ((pairs[(bytes[end - 1] ?? 0) << 8] ?? 0) & ((before << HALF) | ALONE)) !== 0;
};

/** Whether a colon follows at `at`, behind at most two blanks; an escape may be one. */
const colonFollows = (bytes: Uint8Array, at: number): boolean => {
  for (let index = at; index <= at + 2; index++) {
    const byte = bytes[index];
    if (byte === 0x3a || byte === 0x5c) return true;
    if (byte !== 0x20 && byte !== 0x09) return false;
  }
  return false;
};

/** What the marks between `start` and `end` call for: SPEAKS, SECRET, ADDRESS. */
export const marksIn = (bytes: Uint8Array, start: number, end: number, json: boolean): number => {
  const { classes, next, flags: markFlags } = marks();
  let mark = 0;
  let flags = 0;
  let line = start;
  let at = start;
  while (at < end) {
    let unit = bytes[at++] ?? 0;
    const kind = KINDS[unit];
    if (kind === BACKSLASH && json) {
      const letter = bytes[at] ?? 0;
      unit = letter === 0x75 ? hexUnit(bytes, at + 1) : (ESCAPED[letter] ?? 0);
      at += letter === 0x75 ? 5 : 1;
    }
    if (unit === 0x0a) line = at;
    if (kind === WIDE || unit >= 0x80) {
      mark = 0;
      continue;
    }
    mark = next[(mark << MARK_SHIFT) | (classes[unit] ?? 0)] ?? 0;
    const marked = markFlags[mark] ?? 0;
    if (marked === 0) continue;
    flags |= marked & (FLAGS - 1);
    if ((marked & ACTION) !== 0 && colonFollows(bytes, at)) flags |= SPEAKS;
    if ((marked & ROLE) !== 0 && (at - line <= TURN || at - start > PIECE)) flags |= SPEAKS;
  }
  return flags;
};
