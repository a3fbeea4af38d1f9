import { WeighbridgeError } from '../../errors.ts';

const BACKSLASH = 0x5c;
const LETTER_X = 0x78;
const FEED = 0x0a;

/** What one letter behind a backslash stands for (CPython, `_PyBytes_DecodeEscape`); of the others the backslash stays. */
const SIMPLE: ReadonlyMap<number, number> = new Map(
  Object.entries({
    '\\': 0x5c,
    "'": 0x27,
    '"': 0x22,
    a: 0x07,
    b: 0x08,
    f: 0x0c,
    n: 0x0a,
    r: 0x0d,
    t: 0x09,
    v: 0x0b,
  }).map(([letter, byte]) => [letter.charCodeAt(0), byte]),
);

const digit = (byte: number | undefined, base: 8 | 16): number => {
  if (byte === undefined) return -1;
  const letter = byte | 0x20;
  const value = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : letter >= 0x61 && letter <= 0x66 ? letter - 87 : base;
  return value < base ? value : -1;
};

/**
 * The body of a Python 2 literal as the bytes that it stands for. Byte by byte, since a model in such a literal is one line
 * of many megabytes in which nearly every byte is escaped. Without an escape the result shares memory with `body`. Throws
 * FORMAT_INVALID for an escape that is not complete.
 */
export const unescaped = (body: Uint8Array): Uint8Array => {
  const first = body.indexOf(BACKSLASH);
  if (first < 0) return body;
  const out = new Uint8Array(body.length);
  out.set(body.subarray(0, first));
  let used = first;
  for (let at = first; at < body.length; ) {
    const byte = body[at] ?? 0;
    at += 1;
    if (byte !== BACKSLASH) {
      out[used++] = byte;
      continue;
    }
    const code = body[at];
    if (code === undefined) return incomplete();
    at += 1;
    const simple = SIMPLE.get(code);
    let octal = digit(code, 8);
    if (simple !== undefined) out[used++] = simple;
    else if (code === LETTER_X) {
      const [high, low] = [digit(body[at], 16), digit(body[at + 1], 16)];
      if (high < 0 || low < 0) return incomplete();
      out[used++] = high * 16 + low;
      at += 2;
    } else if (octal >= 0) {
      for (let more = 0; more < 2 && digit(body[at], 8) >= 0; more++, at++) octal = octal * 8 + digit(body[at], 8);
      out[used++] = octal & 0xff;
    } else if (code !== FEED) {
      out[used++] = BACKSLASH;
      out[used++] = code;
    }
  }
  return out.subarray(0, used);
};

const incomplete = (): never => {
  throw new WeighbridgeError('FORMAT_INVALID', 'escape in STRING is not complete');
};
