const BACKSLASH = 0x5c;
/** UTF-16 units that become text in one call; bounds the arguments of that call. */
const UNITS = 8192;
/** Hexadecimal digits behind the letter of an escape (Python language reference, 2.4.1.1). */
const DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);
const LAST_POINT = 0x10ffff;

/**
 * The body of a string literal with the escapes decoded that can hide a name: \x, \u, \U, octal, and a line that goes on.
 * The others stay as they are written. One pass from left to right, as Python reads them: literals of many megabytes in
 * which every character is escaped occur.
 */
export const withoutEscapes = (raw: string): string => {
  let next = raw.indexOf('\\');
  if (next < 0) return raw;
  const units = new Uint16Array(raw.length);
  let used = 0;
  const put = (unit: number): void => {
    units[used++] = unit;
  };
  for (let at = 0; at < raw.length; ) {
    if (next < 0) next = raw.length;
    for (; at < next; at++) put(raw.charCodeAt(at));
    if (at >= raw.length) break;
    const { point, length } = escapeAt(raw, at);
    if (point === undefined) for (let kept = at; kept < at + length; kept++) put(raw.charCodeAt(kept));
    else if (point > 0xffff) for (const unit of pair(point)) put(unit);
    else if (point >= 0) put(point);
    at += length;
    next = raw.charCodeAt(at) === BACKSLASH ? at : raw.indexOf('\\', at);
  }
  return textOf(units.subarray(0, used));
};

/** What the escape at `at` stands for: a code point, -1 for nothing at all, or undefined where it stays as written. */
const escapeAt = (raw: string, at: number): { point: number | undefined; length: number } => {
  const letter = raw.charAt(at + 1);
  if (letter === '\n') return { point: -1, length: 2 };
  if (letter === '\r' && raw.charAt(at + 2) === '\n') return { point: -1, length: 3 };
  const wanted = DIGITS.get(letter);
  const length = wanted === undefined ? octalDigits(raw, at + 1) : wanted;
  const from = wanted === undefined ? at + 1 : at + 2;
  const point = wanted === undefined ? number(raw, from, length, 8) : number(raw, from, length, 16);
  if (length === 0 || point < 0 || point > LAST_POINT)
    return { point: undefined, length: Math.min(2, raw.length - at) };
  return { point, length: from + length - at };
};

const octalDigits = (raw: string, at: number): number => {
  let count = 0;
  while (count < 3 && digit(raw.charCodeAt(at + count)) < 8) count += 1;
  return count;
};

const number = (raw: string, from: number, length: number, base: number): number => {
  let value = 0;
  for (let at = from; at < from + length; at++) {
    const one = digit(raw.charCodeAt(at));
    if (one >= base) return -1;
    value = value * base + one;
  }
  return value;
};

/** The value of a hexadecimal digit; 16 for any other character, and for none. */
const digit = (unit: number): number => {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x66 && unit < 0x80 ? letter - 87 : 16;
};

const pair = (point: number): readonly [number, number] => [
  0xd800 + ((point - 0x10000) >> 10),
  0xdc00 + ((point - 0x10000) & 0x3ff),
];

const textOf = (units: Uint16Array): string => {
  const parts: string[] = [];
  for (let at = 0; at < units.length; at += UNITS)
    parts.push(Reflect.apply(String.fromCharCode, null, units.subarray(at, at + UNITS)));
  return parts.join('');
};
