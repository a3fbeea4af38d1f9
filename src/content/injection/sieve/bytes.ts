import { automaton, WIDE as WIDE_LETTER } from '../automaton.ts';
import { mayOrder } from '../sets.ts';
import {
  BACKSLASH,
  BAR,
  BETWEEN,
  CONTROL,
  DIGIT,
  IN_RUN,
  isEscape,
  isUnseen,
  KINDS,
  PERCENT,
  PIECE,
  QUOTE,
  TURN,
  WIDE,
} from './kinds.ts';
import { ACTION, marks, ROLE, SPEAKS } from './marks.ts';

/** Bits of an answer below the place at which the text ended. */
export const FLAGS = 8;
/** Bytes of a number that stands for a character, with its prefix (encoded.ts). */
const NUMBER = 10;
const HEX = new Uint8Array(256);
for (const letter of '0123456789abcdefABCDEF') HEX[letter.charCodeAt(0)] = 1;

/** `\n` and its like in JSON; 0 for what is none, `\u` apart. */
const ESCAPED = new Uint8Array(256);
for (const [letter, unit] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map(
  (pair) => [pair.charCodeAt(0), pair.charCodeAt(1)] as const,
))
  ESCAPED[letter] = unit;

/** Where the number ends that begins with the digit at `start` and has a separator behind it; -1 when it is none. */
const numberEnd = (bytes: Uint8Array, start: number): number => {
  let at = start + 1;
  if (bytes[start] === 0x30 && bytes[at] === 0x78) at += 1;
  while (at - start <= NUMBER && HEX[bytes[at] ?? 0] === 1) at += 1;
  const behind = bytes[at] ?? 0;
  const separated = behind <= 0x20 || behind === 0x2c || behind === 0x3b || behind === 0x5c || behind >= 0x80;
  return at - start >= 2 && at - start <= NUMBER && separated ? at : -1;
};

/** The unit that four hexadecimal digits at `at` write; -1 when they are none. */
const hexUnit = (bytes: Uint8Array, at: number): number => {
  let unit = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = bytes[index] ?? 0;
    if (HEX[byte] === 0) return -1;
    unit = unit * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return unit;
};

/** Whether what follows a backslash makes an escape or a colour of it, written as it is or as an escape itself. */
const hidesEscape = (bytes: Uint8Array, at: number): boolean =>
  isEscape(bytes[at] ?? 0) || (bytes[at] === 0x5c && bytes[at + 1] === 0x75);

/** Whether a colon follows at `at`, behind at most two blanks; an escape may be one. */
const colonFollows = (bytes: Uint8Array, at: number): boolean => {
  for (let index = at; index <= at + 2; index++) {
    const byte = bytes[index];
    if (byte === 0x3a || byte === 0x5c) return true;
    if (byte !== 0x20 && byte !== 0x09) return false;
  }
  return false;
};

/**
 * Looks at valid UTF-8 from `start` to `end`, or, when `json` is set, to the quotation mark that closes a JSON string.
 * The answer is the place where it ended, times `FLAGS`, plus `SPEAKS` when the text must be read, `SECRET` when it may hold
 * a credential, `ADDRESS` when it may be an address; -1 when a JSON string is no plain one (or none): it must be read by the parser.
 */
export const sift = (bytes: Uint8Array, start: number, end: number, json: boolean): number => {
  const { classes, next, telling, groups, wide } = automaton();
  const { next: markNext, flags: markFlags } = marks();
  const ascii = packed();
  let state = 0;
  let mark = 0;
  let found = 0;
  let flags = 0;
  /** Units in a row that may be encoded, where the current line begins, where the last number ended. */
  let run = 0;
  let line = start;
  let number = start - BETWEEN - 1;
  /** Behind the last escape. */
  let token = start;
  let percents = 0;
  /** Bytes beyond one for a unit. */
  let spare = 0;
  let at = start;
  for (;;) {
    if (at >= end) {
      if (json) return -1;
      break;
    }
    const byte = bytes[at] ?? 0;
    at += 1;
    let look = ascii[byte] ?? 0;
    if (look >= 0x10000) {
      const kind = look >> 16;
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
          if (unit < 0x80) flags |= SPEAKS;
        } else {
          unit = ESCAPED[letter] ?? 0;
          if (unit === 0) return -1;
          at += 1;
          spare += 1;
          if (unit === 0x0a) line = at;
          else if (unit === 0x5c && hidesEscape(bytes, at)) flags |= SPEAKS;
        }
        token = at;
      } else if (kind === CONTROL) {
        if (json) return -1;
        if (byte === 0x0a) line = at;
        else if (byte === 0x1b) flags |= SPEAKS;
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
      if (unit >= 0x80) {
        if (unit === BAR || isUnseen(unit)) flags |= SPEAKS;
        const letter = classes[unit] ?? 0;
        state = letter === WIDE_LETTER ? wide(state, unit) : (next[(state << 5) | letter] ?? 0);
        if (state >= telling) found |= groups[state] ?? 0;
        mark = 0;
        run = 0;
        continue;
      }
      look = ascii[unit] ?? 0;
    }
    run = (run + 1) & -((look >> 14) & 1);
    // RUN, written out: in the isolate a constant of another module is read again for every byte, a third of the time.
    if (run >= 40) flags |= SPEAKS;
    state = next[(state << 5) | (look & 0xff)] ?? 0;
    if (state >= telling) found |= groups[state] ?? 0;
    mark = markNext[(mark << 6) | ((look >> 8) & 0x3f)] ?? 0;
    const marked = markFlags[mark] ?? 0;
    if (marked === 0) continue;
    flags |= marked & (FLAGS - 1);
    if ((marked & ACTION) !== 0 && colonFollows(bytes, at)) flags |= SPEAKS;
    if ((marked & ROLE) !== 0 && (at - line <= TURN || at - start > PIECE)) flags |= SPEAKS;
  }
  const last = json ? at - 1 : at;
  if (mayOrder(found)) flags |= SPEAKS;
  units = last - start - spare;
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

/** What is known of each byte: its class as a letter, in marks, whether it may stand in a run, its kind. */
let packedTable: Int32Array | undefined;
const packed = (): Int32Array => {
  if (packedTable !== undefined) return packedTable;
  const { classes } = automaton();
  const { classes: markClasses } = marks();
  packedTable = Int32Array.from(KINDS, (kind, byte) => {
    if (byte >= 0x80) return kind << 16;
    return (kind << 16) | ((IN_RUN[byte] ?? 0) << 14) | ((markClasses[byte] ?? 0) << 8) | (classes[byte] ?? 0);
  });
  return packedTable;
};

/** Makes the tables now: for snapshots. */
export const prepareSieve = (): void => {
  packed();
};
