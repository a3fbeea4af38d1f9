import { automaton, WIDE as WIDE_LETTER } from '../automaton.ts';
import { mayOrder } from '../sets.ts';
import {
  BACKSLASH,
  BAR,
  BETWEEN,
  DIGIT,
  IN_RUN,
  isEscape,
  isUnseen,
  KINDS,
  PERCENT,
  PIECE,
  RUN,
  TURN,
  WIDE,
} from './kinds.ts';
import { ACTION, marks, ROLE, SPEAKS } from './marks.ts';

const NUMBER = /^((?:0x)?\d[0-9a-fA-F]{1,7})[\s,;]/;

/** Whether `text` must be read (examine.ts), by the same look a unit that `sift` takes at bytes. */
export const mustRead = (text: string): boolean => {
  const { classes, next, telling, groups, wide } = automaton();
  const { classes: markClasses, next: markNext, flags: markFlags } = marks();
  // Copies: in the isolate a constant of another module is read again for every unit.
  const [kinds, inRun, longest, wideLetter] = [KINDS, IN_RUN, RUN, WIDE_LETTER];
  let state = 0;
  let mark = 0;
  let found = 0;
  let run = 0;
  let line = 0;
  let number = -BETWEEN - 1;
  let percents = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const kind = unit < 0x80 ? kinds[unit] : WIDE;
    run = unit < 0x80 && inRun[unit] === 1 ? run + 1 : 0;
    if (run >= longest) return true;
    if (kind !== 0) {
      if (kind === DIGIT) {
        if (run === 1) {
          const end = numberEnd(text, at);
          if (end >= 0 && at - number <= BETWEEN) return true;
          if (end >= 0) number = end;
        }
      } else if (kind === WIDE) {
        if (unit === BAR || isUnseen(unit)) return true;
      } else if (unit === 0x0a) line = at;
      else if (unit === 0x1b) return true;
      else if (kind === BACKSLASH && isEscape(text.charCodeAt(at + 1))) return true;
      else if (kind === PERCENT && isHex(text.charCodeAt(at + 1)) && ++percents > 1) return true;
    }
    const letter = classes[unit] ?? 0;
    state = letter === wideLetter ? wide(state, unit) : (next[(state << 5) | letter] ?? 0);
    if (state >= telling) found |= groups[state] ?? 0;
    mark = unit < 0x80 ? (markNext[(mark << 6) | (markClasses[unit] ?? 0)] ?? 0) : 0;
    const marked = markFlags[mark] ?? 0;
    if (marked === 0) continue;
    if ((marked & SPEAKS) !== 0) return true;
    if ((marked & ACTION) !== 0 && /^[ \t]{0,2}:/.test(text.slice(at + 1, at + 4))) return true;
    if ((marked & ROLE) !== 0 && (at - line <= TURN || at > PIECE)) return true;
  }
  return mayOrder(found);
};

const isHex = (unit: number): boolean =>
  (unit >= 0x30 && unit <= 0x39) || ((unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x66);

/** Where the number ends that begins with the digit at `start` and has a separator behind it; -1 when it is none. */
const numberEnd = (text: string, start: number): number => {
  const found = NUMBER.exec(text.slice(start, start + 12))?.[1];
  return found === undefined ? -1 : start + found.length;
};
