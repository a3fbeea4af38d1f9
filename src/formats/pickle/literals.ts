import { latin1 } from '../../bytes/latin1.ts';
import { exceeded } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { unescaped } from './escapes.ts';
import { type Bytes, FALSE, type Float, type Int, type Str, TRUE, type Value } from './values.ts';

/** Bytes of a string that are kept as text; of a longer one only the beginning is. Names and keys are far shorter. */
export const MAX_TEXT = 1024 * 1024;

/** Digits of a decimal number: CPython itself refuses more (`sys.int_info.default_max_str_digits`). */
const MAX_DIGITS = 4300;

/** Bytes of a binary integer that are worked out; longer ones only occur in attacks on the reader. */
const MAX_LONG = 4096;

/** Bytes of a string below which plain ASCII is made into text without a decoder: most keys and names. */
const SHORT = 64;

const SINGLE = 0x27;
const DOUBLE = 0x22;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message);
};

/** Small integers are most of all values: one object each. */
const SMALL: readonly Int[] = Array.from({ length: 256 }, (_, value): Int => ({ kind: 'int', value }));

/** An integer value. */
export const integer = (value: number): Int => SMALL[value] ?? { kind: 'int', value };

const bigInteger = (value: bigint): Int =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? integer(Number(value))
    : { kind: 'int', value };

/** A string from UTF-8; surrogates encoded as three bytes are let through as CPython's `surrogatepass` does. */
export const utf8Text = (bytes: Uint8Array): string => {
  if (bytes.length <= SHORT && bytes.every((byte) => byte < 0x80))
    return Reflect.apply(String.fromCharCode, null, bytes);
  try {
    return strict.decode(bytes);
  } catch {
    return surrogatePass(bytes);
  }
};

const surrogatePass = (bytes: Uint8Array): string => {
  let text = '';
  let from = 0;
  for (let at = 0; at + 2 < bytes.length; at++) {
    const second = bytes[at + 1] ?? 0;
    const third = bytes[at + 2] ?? 0;
    if (bytes[at] !== 0xed || second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
    text += decodeStrictly(bytes.subarray(from, at));
    text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f));
    from = at + 3;
    at += 2;
  }
  return text + decodeStrictly(bytes.subarray(from));
};

const decodeStrictly = (bytes: Uint8Array): string => {
  try {
    return strict.decode(bytes);
  } catch {
    return invalid('string is not UTF-8');
  }
};

/** The operand of INT: decimal, or `00` and `01` for the booleans of protocol 0 (`load_int` of `_pickle.c`). */
export const intLine = (line: Uint8Array): Value => {
  const text = latin1(line);
  if (text === '00') return FALSE;
  if (text === '01') return TRUE;
  return bigInteger(decimal(text));
};

/** The operand of LONG: decimal with an optional `L` behind it. */
export const longLine = (line: Uint8Array): Int => {
  const text = latin1(line);
  return bigInteger(decimal(text.endsWith('L') ? text.slice(0, -1) : text));
};

/** The memo index of GET and PUT. */
export const indexLine = (line: Uint8Array): number => {
  const value = decimal(latin1(line));
  if (value < 0n || value > 0xffffffffn) invalid(`memo index ${value} is out of range`);
  return Number(value);
};

/** Without the white space that C knows; what JavaScript takes for more of it breaks a number for every loader. */
const stripped = (text: string): string => (text.includes('\xa0') ? invalid('number has letters in it') : text.trim());

const decimal = (text: string): bigint => {
  const plain = stripped(text);
  if (!/^[+-]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)$/.test(plain)) invalid('number is not decimal');
  if (plain.length > MAX_DIGITS) exceeded('pickle.digits', MAX_DIGITS);
  return BigInt(plain.replaceAll('_', '').replace('+', ''));
};

/** The operand of LONG1 and LONG4: two's complement, little-endian, any length (`decode_long`). */
export const binaryLong = (bytes: Uint8Array): Int => {
  if (bytes.length > MAX_LONG) exceeded('pickle.integer', MAX_LONG);
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  const negative = bytes.length > 0 && (bytes[bytes.length - 1] ?? 0) >= 0x80;
  return bigInteger(negative ? value - (1n << BigInt(8 * bytes.length)) : value);
};

/** The operand of FLOAT. */
export const floatLine = (line: Uint8Array): Float => {
  const text = stripped(latin1(line)).replaceAll(/(?<=\d)_(?=\d)/g, '');
  if (/^[+-]?(?:inf(?:inity)?|nan)$/i.test(text)) {
    const value = /nan/i.test(text) ? Number.NaN : text.startsWith('-') ? -Infinity : Infinity;
    return { kind: 'float', value };
  }
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) invalid('number is not a float');
  return { kind: 'float', value: Number(text) };
};

/** The operand of STRING: quoted, with the escapes of a Python 2 literal (`codecs.escape_decode`). A long one is bytes. */
export const stringLine = (line: Uint8Array, offset: number): Str | Bytes => {
  const [quote] = line;
  if (line.length < 2 || (quote !== SINGLE && quote !== DOUBLE) || line[line.length - 1] !== quote) {
    return invalid('the operand of STRING is not quoted');
  }
  const held = unescaped(line.subarray(1, line.length - 1));
  if (held.length <= MAX_TEXT) return stringOf(latin1(held));
  return { kind: 'bytes', offset, length: held.length, literal: held.slice(), mutable: false };
};

/** Characters below 256 as the bytes that they stand for. */
export const latinBytes = (text: string, offset = 0): Bytes => {
  const literal = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) literal[at] = text.charCodeAt(at);
  return { kind: 'bytes', offset, length: literal.length, literal, mutable: false };
};

/** The operand of UNICODE: `raw-unicode-escape`, in which only \u and \U are escapes. */
export const unicodeLine = (line: Uint8Array): Str => {
  const text = latin1(line);
  return stringOf(text.includes('\\') ? unescapeUnicode(text) : text);
};

const unescapeUnicode = (text: string): string =>
  text.replaceAll(/(\\+)(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[uU])/g, (whole, slashes: string, code: string) => {
    if (slashes.length % 2 === 0) return whole;
    const point = Number.parseInt(code.slice(1), 16);
    if (code.length === 1 || point > 0x10ffff) return invalid('escape in UNICODE is not a character');
    return slashes.slice(1) + String.fromCodePoint(point);
  });

/** A string value; text beyond MAX_TEXT is cut. */
export const stringOf = (text: string): Str =>
  text.length <= MAX_TEXT
    ? { kind: 'str', text, whole: true }
    : { kind: 'str', text: text.slice(0, MAX_TEXT), whole: false };
