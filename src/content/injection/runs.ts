import { decodeUtf8 } from '../../bytes/utf8.ts';
import { examine } from './examine.ts';
import { foldedLetters } from './fold.ts';
import { hitsIn } from './hits.ts';
import { mayOrder } from './sets.ts';
import { sift, siftedEnd, siftedGroups } from './sieve/bytes.ts';
import { CERTAIN, ORDER, type Sign, type Verdict } from './verdict.ts';

/** Characters of a text that is short: what says nothing by itself may be part of what several say. */
export const SHORT = 40;
/** Characters of either end of a longer text that are read with what stands beside it, in prose. */
export const ENDS = 80;
/** Bytes of texts that are read together, and of those that are read again with the next ones. */
const WINDOW = 2048;
const OVERLAP = 512;
/** Bytes and texts of a window that there is room for at first: most files have few. */
const [FIRST, TEXTS] = [256, 8];
/** Bytes of the longest text that is short, and what stands behind it. */
const LONGEST = 3 * ENDS + 1;
const FEED = 0x0a;

/** Where texts together order a model around: from this row and place on. */
export type Together = { readonly verdict: Verdict; readonly row: number; readonly offset: number };

/**
 * Short texts that follow each other: lines, or the cells of a column. They are read together in windows, since an order
 * may be cut into pieces that say nothing.
 */
export type Run = {
  /** What the last text ends with, for the look at the next one (`sift`). */
  before(): number;
  /** Adds the short text of valid UTF-8 from `start` to `end`, of which that look found `groups` and ended with `last`. */
  add(bytes: Uint8Array, start: number, end: number, row: number, offset: number, groups: number, last: number): void;
  /** Adds a short text, or the end that a long one has on its side. */
  addText(text: string, row: number, offset: number): void;
  /** Ends the run: what follows is read apart. */
  end(): void;
};

/** `strict`: texts that are apart from each other, so that only an order counts that goes on from one into the next. */
export const createRun = (tell: (found: Together) => void, strict: boolean): Run => {
  let window = new Uint8Array(FIRST);
  /** Of each text: where it begins, its row, its place. */
  let starts = new Int32Array(TEXTS);
  let rows = new Float64Array(TEXTS);
  let offsets = new Float64Array(TEXTS);
  let texts = 0;
  let used = 0;
  let latest = 0;
  /** Groups of phrases that begin in the window, and in what of it is read again with the next; what its end begins. */
  let found = 0;
  let foundLate = 0;
  let state = 0;

  const repeats = (bytes: Uint8Array, start: number, end: number): boolean => {
    if (texts === 0 || used - latest !== end - start + 1) return false;
    const shift = latest - start;
    for (let at = start; at < end; at++) if (window[shift + at] !== bytes[at]) return false;
    return true;
  };
  const close = (row: number, offset: number, start: number, groups: number, last: number): void => {
    found |= groups;
    // A phrase that begins in the last text of the part before may end in this one.
    if (start >= WINDOW - OVERLAP) foundLate |= groups;
    state = last;
    if (texts === starts.length) grow();
    starts[texts] = start;
    rows[texts] = row;
    offsets[texts] = offset;
    texts += 1;
    latest = start;
    window[used++] = FEED;
    if (used >= WINDOW) read(true);
  };
  /** Has room for so many bytes more, of which a text that comes has no more than LONGEST, and what stands behind them. */
  const makeRoom = (bytes: number): void => {
    if (used + bytes < window.length) return;
    const before = window;
    window = new Uint8Array(WINDOW + LONGEST);
    window.set(before);
  };
  const grow = (): void => {
    const [before, ofRows, ofOffsets] = [starts, rows, offsets];
    starts = new Int32Array(2 * texts);
    rows = new Float64Array(2 * texts);
    offsets = new Float64Array(2 * texts);
    starts.set(before);
    rows.set(ofRows);
    offsets.set(ofOffsets);
  };
  /** The first text of which all bytes lie from `place` on; -1 when there is none. */
  const textFrom = (place: number): number => {
    for (let text = 0; text < texts; text++) if ((starts[text] ?? 0) >= place) return text;
    return -1;
  };
  /** Forgets the texts before the one with this number. */
  const keepFrom = (first: number): void => {
    const from = first < texts ? (starts[first] ?? used) : used;
    window.copyWithin(0, from, used);
    used -= from;
    latest -= from;
    starts.copyWithin(0, first, texts);
    rows.copyWithin(0, first, texts);
    offsets.copyWithin(0, first, texts);
    texts -= first;
    for (let text = 0; text < texts; text++) starts[text] = (starts[text] ?? 0) - from;
  };

  const read = (goesOn: boolean): void => {
    const order = texts > 1 && mayOrder(found) ? findIn(window, used, strict) : undefined;
    if (order !== undefined) {
      const behind = textFrom(order.at + 1);
      const text = Math.max(0, (behind < 0 ? texts : behind) - 1);
      tell({ verdict: order.verdict, row: rows[text] ?? 0, offset: offsets[text] ?? 0 });
    }
    const kept = goesOn && order === undefined ? textFrom(used - OVERLAP) : -1;
    keepFrom(kept < 0 ? texts : kept);
    found = kept < 0 ? 0 : foundLate;
    foundLate = 0;
    if (kept < 0) state = 0;
  };

  return {
    before: () => state,
    add(bytes, start, end, row, offset, groups, last) {
      if (end <= start || end - start >= LONGEST || repeats(bytes, start, end)) return;
      makeRoom(end - start);
      const begins = used;
      let next = used;
      for (let at = start; at < end; at++) {
        const byte = bytes[at] ?? 0;
        // FEED and a carriage return, written out: in the isolate a constant of another scope is read again for every byte.
        window[next++] = byte === 0x0a || byte === 0x0d ? 0x20 : byte;
      }
      used = next;
      close(row, offset, begins, groups, last);
    },
    addText(text, row, offset) {
      if (text.length === 0 || text.length > ENDS) return;
      const begins = used;
      makeRoom(3 * text.length);
      const length = write(text, window, used);
      if (repeats(window, begins, begins + length)) return;
      sift(window, begins, begins + length, false, state);
      used += length;
      close(row, offset, begins, siftedGroups(), siftedEnd());
    },
    end() {
      if (used > 0) read(false);
    },
  };
};

/** Only the texts end with line feeds. */
const blankFor = (byte: number): number => (byte === FEED || byte === 0x0d ? 0x20 : byte);

/** Writes a text as UTF-8; half a surrogate pair as the sign for what is no character. */
const write = (text: string, into: Uint8Array, start: number): number => {
  let at = start;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      into[at++] = blankFor(unit);
      continue;
    }
    const whole = text.codePointAt(index) ?? 0;
    const point = whole >= 0xd800 && whole < 0xe000 ? 0xfffd : whole;
    if (point >= 0x10000) index += 1;
    if (point < 0x800) into[at++] = 0xc0 | (point >> 6);
    else {
      if (point < 0x10000) into[at++] = 0xe0 | (point >> 12);
      else {
        into[at++] = 0xf0 | (point >> 18);
        into[at++] = 0x80 | ((point >> 12) & 0x3f);
      }
      into[at++] = 0x80 | ((point >> 6) & 0x3f);
    }
    into[at++] = 0x80 | (point & 0x3f);
  }
  return at - start;
};

const findIn = (window: Uint8Array, used: number, strict: boolean): { verdict: Verdict; at: number } | undefined => {
  const text = decodeUtf8(window.subarray(0, used));
  const verdict = ordersTogether(text, strict);
  if (verdict === undefined) return undefined;
  const first = verdict.signs.reduce((start, sign) => Math.min(start, sign.start), text.length);
  return { verdict, at: byteOf(text, first) };
};

const byteOf = (text: string, position: number): number => {
  let bytes = 0;
  for (let at = 0; at < position; at++) {
    const unit = text.charCodeAt(at);
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return bytes;
};

/**
 * Letters of an order over several texts that are part of none of its phrases: between the cells of a table there is hardly
 * any, while lines that stand below each other by chance have much.
 */
const BETWEEN = { apart: 3, lines: 12 } as const;
/** Words that belong to an order without saying anything. */
const SMALL =
  /\b(?:the|of|and|or|to|my|me|these|those|that|this|an?|you|have|been|given|der|die|das|und|mir|les|des|et|el|los|las|de|la|le|que|i|y|e|do)\b/gi;

/**
 * What texts that stand on lines of their own order a model to do together, when none of them does by itself. An order goes
 * on from one line into the next; or, unless the texts are apart from each other (`strict`), several together leave no doubt.
 */
export const ordersTogether = (text: string, strict: boolean): Verdict | undefined => {
  const verdict = examine(text);
  if (verdict === undefined || verdict.score < ORDER || verdict.discussed) return undefined;
  const lineOf = (at: number): number => text.lastIndexOf('\n', at - 1) + 1;
  const crosses = ({ start, end }: Sign): boolean => text.slice(start, end).includes('\n');
  const limit = strict ? BETWEEN.apart : BETWEEN.lines;
  const isOrder = ({ start, end }: Sign): boolean =>
    lettersBetween(text.slice(start, end)) <= limit && text.slice(lineOf(start), end).split('\n').some(hasWords);
  const signs = verdict.signs.filter((sign) => !crosses(sign) || isOrder(sign));
  const goesOn = signs.some((sign) => sign.weight >= ORDER && crosses(sign));
  const lines = new Set(signs.map(({ start }) => lineOf(start)));
  const sum = signs.reduce((weight, sign) => weight + (sign.family === 'control tokens' ? 0 : sign.weight), 0);
  if (!goesOn && (strict || sum < CERTAIN || lines.size < 2)) return undefined;
  for (const line of lines) {
    const alone = examine(text.slice(line, text.indexOf('\n', line)));
    if (alone !== undefined && alone.score >= ORDER && !alone.discussed) return undefined;
  }
  return verdict;
};

/** More than one word: lines of one word each are a vocabulary, in which any words may stand below each other. */
const hasWords = (line: string): boolean =>
  /[\p{L}\p{N}]\s{1,8}\p{L}|[\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3\u0e01-\u0e4e]{4}/u.test(line);

/** Letters of an order that belong neither to its phrases nor to small words. */
const lettersBetween = (passage: string): number => {
  const said = hitsIn(passage).filter(({ group, start }) => start === 0 || (group !== 'show' && group !== 'send'));
  const units = passage.split('');
  for (const { start, end } of said) units.fill(' ', start, end);
  return foldedLetters(units.join('').replace(SMALL, '')).length;
};
