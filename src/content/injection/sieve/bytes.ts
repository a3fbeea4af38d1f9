import { ASKS, automaton, NOWHERE, WIDE as WIDE_LETTER } from '../automaton.ts';
import { mayOrder } from '../sets.ts';
import {
  BACKSLASH,
  BAR,
  BETWEEN,
  CONTROL,
  DIGIT,
  ESCAPED,
  HEX,
  hexUnit,
  IN_RUN,
  isEscape,
  isUnseen,
  KINDS,
  PERCENT,
  QUOTE,
  RUN,
  WIDE,
} from './kinds.ts';
import { marksIn, mayBeMarked, prepareMarks } from './marked.ts';
import { FLAGS, SPEAKS } from './marks.ts';

export { FLAGS } from './marks.ts';

/** Bytes of a number that stands for a character, with its prefix (encoded.ts). */
const NUMBER = 10;

/** Where the number ends that begins with the digit at `start` and has a separator behind it; -1 when it is none. */
const numberEnd = (bytes: Uint8Array, start: number): number => {
  let at = start + 1;
  if (bytes[start] === 0x30 && bytes[at] === 0x78) at += 1;
  while (at - start <= NUMBER && HEX[bytes[at] ?? 0] === 1) at += 1;
  const behind = bytes[at] ?? 0;
  const separated = behind <= 0x20 || behind === 0x2c || behind === 0x3b || behind === 0x5c || behind >= 0x80;
  return at - start >= 2 && at - start <= NUMBER && separated ? at : -1;
};

/** Whether what follows a backslash makes an escape or a colour of it, written as it is or as an escape itself. */
const hidesEscape = (bytes: Uint8Array, at: number): boolean =>
  isEscape(bytes[at] ?? 0) || (bytes[at] === 0x5c && bytes[at + 1] === 0x75);

/** Whether a run of text that may be encoded stands between `start` and `end`. One look at every fortieth byte of other text. */
const hasRun = (bytes: Uint8Array, start: number, end: number, json: boolean): boolean => {
  let from = start;
  for (let at = start + RUN - 1; at < end; at = from + RUN - 1) {
    let back = at;
    while (back >= from && inRun(bytes, back, json)) back -= 1;
    if (back < from) return true;
    from = back + 1;
  }
  return false;
};

/** In JSON a slash may be written behind a backslash. */
const inRun = (bytes: Uint8Array, at: number, json: boolean): boolean =>
  IN_RUN[bytes[at] ?? 0] === 1 || (json && bytes[at] === 0x5c && bytes[at + 1] === 0x2f);

/**
 * Looks at valid UTF-8 from `start` to `end`, or, when `json` is set, to the quotation mark that closes a JSON string.
 * The answer is the place where it ended, times `FLAGS`, plus `SPEAKS` when the text must be read, `SECRET` when it may hold
 * a credential, `ADDRESS` when it may be an address; -1 when a JSON string is no plain one (or none): it must be read by the parser.
 * `from` is what stands before the text begins (`siftedEnd`).
 */
export const sift = (bytes: Uint8Array, start: number, end: number, json: boolean, from = 0): number => {
  const { classes, next, telling, groups, wide } = automaton();
  const columns = columnsOf();
  let state = from;
  let found = 0;
  let flags = 0;
  /** Where the last number ended. */
  let number = start - BETWEEN - 1;
  /** Behind the last escape. */
  let token = start;
  let percents = 0;
  /** A letter is written as a number that need not be. */
  let spelt = false;
  /** Bytes beyond one for a unit. */
  let spare = 0;
  let at = start;
  for (;;) {
    let byte = 0;
    let after = 0;
    while (at < end) {
      byte = bytes[at] ?? 0;
      after = next[(state << 5) | (columns[byte] ?? 0)] ?? 0;
      at += 1;
      if (after >= telling) break;
      state = after;
    }
    if (after < telling) {
      if (json) return -1;
      break;
    }
    if (after !== NOWHERE) {
      state = after;
      found |= groups[state] ?? 0;
      after = 0;
      continue;
    }
    const kind = KINDS[byte] ?? 0;
    if (kind === QUOTE && json) break;
    let unit = byte;
    if (kind === DIGIT) {
      const before = at - 2 < start ? 0 : (bytes[at - 2] ?? 0);
      if (IN_RUN[before] === 0 || at - 1 === token) {
        const behind = numberEnd(bytes, at - 1);
        if (behind >= 0 && at - 1 - number <= BETWEEN) flags |= SPEAKS;
        if (behind >= 0) number = behind;
      }
    } else if (kind === BACKSLASH) {
      const letter = bytes[at] ?? 0;
      if (!json) {
        if (isEscape(letter)) flags |= SPEAKS;
      } else if (letter === 0x75) {
        unit = hexUnit(bytes, at + 1);
        if (unit < 0) return -1;
        at += 5;
        spare += 5;
        // ASCII has no need of it.
        if (unit < 0x80) spelt = true;
      } else {
        unit = ESCAPED[letter] ?? 0;
        if (unit === 0) return -1;
        at += 1;
        spare += 1;
        if (unit === 0x5c && hidesEscape(bytes, at)) flags |= SPEAKS;
      }
      token = at;
    } else if (kind === CONTROL) {
      if (json) return -1;
      if (byte === 0x1b) flags |= SPEAKS;
    } else if (kind === PERCENT) {
      const first = bytes[at] ?? 0;
      if ((HEX[first] === 1 || first === 0x5c) && ++percents > 1) flags |= SPEAKS;
    } else if (kind === WIDE) {
      const point = pointAt(bytes, at - 1);
      const more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      at += more;
      spare += more < 3 ? more : 2;
      if (point < 0x10000) unit = point;
      else {
        const lead = 0xd7c0 + (point >> 10);
        if (isUnseen(lead)) flags |= SPEAKS;
        state = next[(state << 5) | (classes[lead] ?? 0)] ?? 0;
        unit = 0xdc00 | (point & 0x3ff);
      }
    }
    if (unit >= 0x80 && (unit === BAR || isUnseen(unit))) flags |= SPEAKS;
    const letter = classes[unit] ?? 0;
    state = letter === WIDE_LETTER ? wide(state, unit) : (next[(state << 5) | letter] ?? 0);
    if (state >= telling) found |= groups[state] ?? 0;
  }
  const last = json ? at - 1 : at;
  if (found !== 0 && mayOrder(found)) flags |= SPEAKS;
  if (last - start >= RUN && hasRun(bytes, start, last, json)) flags |= SPEAKS;
  if (spelt) flags |= SPEAKS;
  if (spelt || mayBeMarked(bytes, start, last)) flags |= marksIn(bytes, start, last, json);
  units = last - start - spare;
  groupsFound = found;
  endState = state;
  return last * FLAGS + flags;
};

/** The code point that begins at `at` with a byte of 0xc2 or more. */
const pointAt = (bytes: Uint8Array, at: number): number => {
  const lead = bytes[at] ?? 0;
  const second = (bytes[at + 1] ?? 0) & 0x3f;
  if (lead < 0xe0) return ((lead & 0x1f) << 6) | second;
  const third = (bytes[at + 2] ?? 0) & 0x3f;
  if (lead < 0xf0) return ((lead & 0x0f) << 12) | (second << 6) | third;
  return ((lead & 0x07) << 18) | (second << 12) | (third << 6) | ((bytes[at + 3] ?? 0) & 0x3f);
};

let units = 0;
/** UTF-16 units of the text that was looked at last. */
export const siftedUnits = (): number => units;

let endState = 0;
/** What the end of the text that was looked at last begins, for a look at what stands behind it. */
export const siftedEnd = (): number => endState;
let groupsFound = 0;
/** Groups of which the text that was looked at last has beginnings, as bits: with those of others they may make an order. */
export const siftedGroups = (): number => groupsFound;

/** The column of the automaton's table in which each byte is looked up. */
let columnTable: Uint8Array | undefined;
const columnsOf = (): Uint8Array => {
  const { classes } = automaton();
  columnTable ??= KINDS.map((kind, byte) => (kind === 0 ? (classes[byte] ?? 0) : ASKS));
  return columnTable;
};

/** Makes the tables now: for snapshots. */
export const prepareSieve = (): void => {
  columnsOf();
  prepareMarks();
};
