import { BACKSLASH, ESCAPED, hexUnit, KINDS, PIECE, TURN, WIDE } from './kinds.ts';
import { ACTION, FLAGS, LISTED, MARK_SHIFT, marks, ROLE, SPEAKS } from './marks.ts';
import { ALONE, HALF, pairsOf } from './pairs.ts';

const buildPairs = (): Uint32Array => {
  const listed = LISTED.map(([text]) => text).filter((text) => /^[ -~]+$/.test(text) && text !== '://');
  const pairs = pairsOf(listed);
  // Of `://` nothing would be left: each sign may have a backslash before it.
  for (const pair of [':/', ':\\', '//', '/\\', '\\/']) {
    const place = (pair.charCodeAt(0) << 8) | pair.charCodeAt(1);
    pairs[place] = (pairs[place] ?? 0) | ALONE;
  }
  return pairs;
};

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
