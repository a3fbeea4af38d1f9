import { automaton, SHIFT, WIDE as WIDE_LETTER } from '../automaton.ts';
import { mayOrder } from '../sets.ts';
import {
  BACKSLASH,
  BAR,
  BREAK,
  isEscape,
  isUnseen,
  KINDS,
  NUMBERS,
  PERCENT,
  PIECE,
  PLAIN,
  QUOTE,
  RUN,
  TURN,
  WIDE,
} from './kinds.ts';
import { ACTION, MARK_SHIFT, marks, ROLE, SPEAKS } from './marks.ts';

const NUMBER = /^(?:0x)?\d[0-9a-fA-F]{1,7}$/;

/** Whether `text` must be read (examine.ts), by the same look a unit that `sift` takes at bytes. */
export const mustRead = (text: string): boolean => {
  const { classes, next, telling, groups, wide } = automaton();
  const { classes: markClasses, next: markNext, flags: markFlags } = marks();
  let state = 0;
  let mark = 0;
  let found = 0;
  let broken = 0;
  let line = 0;
  let numbers = 0;
  let percents = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const kind = unit < 0x80 ? (KINDS[unit] ?? BREAK) : WIDE;
    if (kind !== PLAIN) {
      const length = at - broken;
      if (length >= RUN) return true;
      if (length > 0) {
        if (kind === BREAK || kind === PERCENT || kind === QUOTE || length === 1 || !isNumber(text, broken, at))
          numbers = 0;
        else if (++numbers >= NUMBERS) return true;
      }
      broken = at + 1;
      if (kind === WIDE) {
        if (unit === BAR || isUnseen(unit)) return true;
      } else if (unit === 0x0a) line = at;
      else if (unit === 0x1b) return true;
      else if (kind === BACKSLASH && isEscape(text.charCodeAt(at + 1))) return true;
      else if (kind === PERCENT && isHex(text.charCodeAt(at + 1)) && ++percents > 1) return true;
    }
    const letter = classes[unit] ?? 0;
    state = letter === WIDE_LETTER ? wide(state, unit) : (next[(state << SHIFT) | letter] ?? 0);
    if (state >= telling) found |= groups[state] ?? 0;
    mark = unit < 0x80 ? (markNext[(mark << MARK_SHIFT) | (markClasses[unit] ?? 0)] ?? 0) : 0;
    const marked = markFlags[mark] ?? 0;
    if (marked === 0) continue;
    if ((marked & SPEAKS) !== 0) return true;
    if ((marked & ACTION) !== 0 && /^[ \t]{0,2}:/.test(text.slice(at + 1, at + 4))) return true;
    if ((marked & ROLE) !== 0 && (at - line <= TURN || at > PIECE)) return true;
  }
  return text.length - broken >= RUN || mayOrder(found);
};

const isHex = (unit: number): boolean =>
  (unit >= 0x30 && unit <= 0x39) || ((unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x66);

const isNumber = (text: string, start: number, end: number): boolean => {
  const first = text.charCodeAt(start);
  return first >= 0x30 && first <= 0x39 && NUMBER.test(text.slice(start, Math.min(end, start + 12)));
};
