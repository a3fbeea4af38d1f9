/*
 * One look a byte at text as it lies in the file tells most text to be harmless before it is decoded: it holds no
 * beginnings of phrases that make an order, no mark of tokens, links, credentials, nothing invisible, nothing that may
 * be encoded. What it lets through is looked at by examine.ts and secrets.ts, which decide; it may let through too much,
 * never too little: examine.ts itself reads nothing that it holds back.
 */

/** Units in a row, without a space, that may be encoded text (encoded.ts). */
export const RUN = 40;
/** Units up to which only what is written as the beginning of a line is one: longer texts are read in pieces. */
export const PIECE = 8 * 1024;
/** Bytes between two numbers that may spell something with a third: separators, written with escapes. */
export const BETWEEN = 12;
/** Bytes between a line feed and the end of a role's name that begins a turn (tokens.ts), written with escapes. */
export const TURN = 48;

/** What a byte is to the loop: most are plain (0), the others ask for more than a look at tables. */
export const DIGIT = 1;
export const QUOTE = 2;
export const BACKSLASH = 3;
export const CONTROL = 4;
export const PERCENT = 5;
export const WIDE = 6;
export const KINDS = new Uint8Array(256).fill(CONTROL, 0, 0x20).fill(DIGIT, 0x30, 0x3a).fill(WIDE, 0x80);
KINDS[0x22] = QUOTE;
KINDS[0x5c] = BACKSLASH;
KINDS[0x25] = PERCENT;

/** Whether an ASCII unit may stand in a run. */
export const IN_RUN = new Uint8Array(256);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=')
  IN_RUN[letter.charCodeAt(0)] = 1;

/** Units that no one sees (invisible.ts), and the lead of tag characters. */
export const isUnseen = (unit: number): boolean =>
  unit === 0xad ||
  (unit >= 0x200b && unit <= 0x200f) ||
  (unit >= 0x202a && unit <= 0x202e) ||
  (unit >= 0x2060 && unit <= 0x2069) ||
  (unit >= 0xfe00 && unit <= 0xfe0f) ||
  unit === 0xfeff ||
  unit === 0xdb40;
/** The bar of DeepSeek's tokens. */
export const BAR = 0xff5c;

/** What may stand behind a backslash that begins a colour or an escape of other languages. */
export const isEscape = (byte: number): boolean =>
  byte === 0x75 || byte === 0x55 || byte === 0x78 || byte === 0x65 || byte === 0x30;

/** `\n` and its like in JSON; 0 for what is none, `\u` apart. */
export const ESCAPED = new Uint8Array(256);
for (const [letter, unit] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map(
  (pair) => [pair.charCodeAt(0), pair.charCodeAt(1)] as const,
))
  ESCAPED[letter] = unit;

/** Which bytes are hexadecimal digits. */
export const HEX = new Uint8Array(256);
for (const letter of '0123456789abcdefABCDEF') HEX[letter.charCodeAt(0)] = 1;

/** The unit that four hexadecimal digits at `at` write; -1 when they are none. */
export const hexUnit = (bytes: Uint8Array, at: number): number => {
  let unit = 0;
  for (let index = at; index < at + 4; index++) {
    const byte = bytes[index] ?? 0;
    if (HEX[byte] === 0) return -1;
    unit = unit * 16 + (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);
  }
  return unit;
};
