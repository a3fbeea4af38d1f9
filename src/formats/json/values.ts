import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { checkBlock, rawBlocksOf } from '../text/decode.ts';

/** What a byte outside of strings is to whoever looks for the end of a value. */
const KIND = { plain: 0, quote: 1, opens: 2, closes: 3, ends: 4 } as const;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const KINDS = new Uint8Array(256);
for (const [letters, kind] of [
  ['"', KIND.quote],
  ['[{', KIND.opens],
  [']}', KIND.closes],
  [',: \t\r\n', KIND.ends],
] as const)
  for (const letter of letters) KINDS[letter.charCodeAt(0)] = kind;

/** Where a value of JSON lies: from `start` to `end` of `bytes`, which are valid until the next value is asked for. */
export type Value = { readonly bytes: Uint8Array; readonly start: number; readonly end: number };

/** A JSON text in UTF-8 that is read value by value; no more of it is held than one value and a block. */
export type Values = {
  /** The next byte that is no white space, which stays the next; -1 at the end of the file. */
  next(): number;
  /** Passes over the byte that `next` told of, when it is this one; throws FORMAT_INVALID otherwise. */
  pass(byte: number): void;
  /** Where the next byte stands in the file. */
  offset(): number;
  /**
   * The value that begins at the next byte, as far as brackets and quotation marks tell: whether it is one is for its
   * reader to say. Throws LIMIT_EXCEEDED when it has more than `limit` bytes, FORMAT_TRUNCATED when it does not end.
   */
  value(limit: number): Value;
  /** What is held, and where the next byte stands in it: for a reader who finds the end of a value by himself. */
  held(): { readonly bytes: Uint8Array; readonly at: number };
  /** Goes on behind a value that was read from `held`. */
  behind(at: number): void;
};

/** Reads a source of UTF-8; each block is checked to be text before anything of it is read. */
export const createValues = (source: RandomAccess): Values => {
  const blocks = rawBlocksOf(source);
  let bytes: Uint8Array = new Uint8Array();
  let at = 0;
  /** Where `bytes` begin in the file. */
  let base = 0;

  /** Holds one block more; false at the end of the file. */
  const more = (): boolean => {
    const { value: block, done } = blocks.next();
    if (done === true || block === undefined) return false;
    checkBlock(block);
    if (at === bytes.length) bytes = block.bytes;
    else {
      const rest = bytes.subarray(at);
      bytes = new Uint8Array(rest.length + block.bytes.length);
      bytes.set(rest);
      bytes.set(block.bytes, rest.length);
    }
    base = block.offset + block.bytes.length - bytes.length;
    at = 0;
    return true;
  };

  const next = (): number => {
    for (;;) {
      if (at === bytes.length && !more()) return -1;
      const byte = bytes[at] ?? 0;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      at += 1;
    }
  };

  return {
    next,
    pass(byte) {
      if (next() !== byte) {
        const message = `JSON: expected ${String.fromCharCode(byte)}`;
        throw new WeighbridgeError('FORMAT_INVALID', message, { offset: base + at });
      }
      at += 1;
    },
    offset: () => base + at,
    value(limit) {
      next();
      const ending: Ending = { length: 0, depth: 0, quoted: false };
      while (!findEnd(bytes, at, ending)) {
        within('bytes of one value of JSON', bytes.length - at, limit);
        if (!more()) unfinished(base + at);
      }
      within('bytes of one value of JSON', ending.length, limit);
      const start = at;
      at += ending.length;
      return { bytes, start, end: at };
    },
    held: () => ({ bytes, at }),
    behind(place) {
      at = place;
    },
  };
};

const unfinished = (offset: number): never => {
  throw new WeighbridgeError('FORMAT_TRUNCATED', 'JSON: a value does not end', { offset });
};

/** How much of a value was looked at, how many brackets are open there, and whether a string is. */
type Ending = { length: number; depth: number; quoted: boolean };

/** Looks for the end of the value at `start`, on from where it was left; false when it is not in `bytes`. */
const findEnd = (bytes: Uint8Array, start: number, ending: Ending): boolean => {
  let { depth, quoted } = ending;
  let at = start + ending.length;
  while (at < bytes.length) {
    const kind = quoted ? KIND.quote : KINDS[bytes[at] ?? 0];
    if (kind === KIND.quote) {
      const close = closeOf(bytes, quoted ? at : at + 1);
      quoted = close < 0;
      if (quoted) {
        at = Math.max(at + 1, beforeBackslashes(bytes, bytes.length));
        break;
      }
      at = close;
    } else if (kind === KIND.opens) depth += 1;
    else if (kind === KIND.closes) depth -= 1;
    else if (kind === KIND.plain || depth > 0) {
      at += 1;
      continue;
    }
    // A bracket that closes what is around the value ends it, like a comma.
    const behind = depth < 0 || kind === KIND.ends ? at : at + 1;
    if (depth <= 0) {
      ending.length = behind - start;
      return true;
    }
    at = behind;
  }
  ending.length = at - start;
  ending.depth = depth;
  ending.quoted = quoted;
  return false;
};

/** The quotation mark that closes the string of which `from` is a part; -1 when it is not there. */
const closeOf = (bytes: Uint8Array, from: number): number => {
  for (let close = bytes.indexOf(QUOTE, from); close >= 0; close = bytes.indexOf(QUOTE, close + 1))
    if ((close - Math.max(from, beforeBackslashes(bytes, close))) % 2 === 0) return close;
  return -1;
};

/** Where the backslashes begin that end before `end`. */
const beforeBackslashes = (bytes: Uint8Array, end: number): number => {
  let before = end;
  while (bytes[before - 1] === BACKSLASH) before -= 1;
  return before;
};
