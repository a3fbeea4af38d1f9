import { exceeded } from '../../bytes/limits.ts';
import { utf8Length } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';

/** An object keeps where it begins (a position in the text) so that findings can say so. A Map: no key is special. */
export type JsonObject = { readonly at: number; readonly entries: ReadonlyMap<string, JsonValue> };
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/**
 * A key that occurs twice in one object: readers disagree about which value counts. `value` is the one that stands first;
 * the object has the last.
 */
export type Duplicate = { readonly key: string; readonly at: number; readonly value: JsonValue };
export type Document = { readonly value: JsonValue; readonly duplicates: readonly Duplicate[]; readonly end: number };

export type Dialect = {
  /** Objects and arrays inside each other. */
  readonly depth: number;
  /** NaN, Infinity and lone surrogates, which Python's json module writes and reads. */
  readonly python: boolean;
};

/** A string, number or truth as text; empty for anything else. */
export const scalarText = (value: JsonValue | undefined): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `${value}` : '';

/** Narrowing for values of a document. */
export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && 'entries' in value && value.entries instanceof Map;
export const isList = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value);

/** What a string needs a closer look for. */
const SPECIAL = /[\\\x00-\x1f]/;
/** Keys of one document that may occur twice; nobody writes them on purpose. */
const DUPLICATES = 10_000;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const WORDS: readonly (readonly [string, null | boolean | number, python: boolean])[] = [
  ['true', true, false],
  ['false', false, false],
  ['null', null, false],
  ['NaN', Number.NaN, true],
  ['Infinity', Number.POSITIVE_INFINITY, true],
  ['-Infinity', Number.NEGATIVE_INFINITY, true],
];

/**
 * One JSON value (RFC 8259) at `start` of `text`, with every duplicate key. `end` is where it stops; what follows is
 * the caller's affair. Throws FORMAT_INVALID with the byte offset, LIMIT_EXCEEDED when nested deeper than allowed.
 */
export const parseJson = (text: string, dialect: Dialect, start = 0): Document => {
  const duplicates: Duplicate[] = [];
  let at = start;

  const invalid = (what: string, where = at): never => {
    throw new WeighbridgeError('FORMAT_INVALID', `JSON: ${what}`, { offset: utf8Length(text, where) });
  };
  const space = (): void => {
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      at += 1;
    }
  };
  const unicodeEscape = (): string => {
    const hex = text.slice(at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(hex)) invalid('wrong \\u escape');
    at += 4;
    return String.fromCharCode(Number.parseInt(hex, 16));
  };
  const string = (): string => {
    const opened = at;
    at += 1;
    const close = text.indexOf('"', at);
    const plain = text.slice(at, close);
    if (close >= 0 && !SPECIAL.test(plain)) {
      at = close + 1;
      if (!dialect.python && !plain.isWellFormed()) invalid('lone surrogate', opened);
      return plain;
    }
    let from = at;
    let out = '';
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === 0x22) {
        out += text.slice(from, at);
        at += 1;
        if (!dialect.python && !out.isWellFormed()) invalid('lone surrogate', opened);
        return out;
      }
      if (unit === 0x5c) {
        out += text.slice(from, at);
        const letter = text.charAt(at + 1);
        at += 2;
        out += letter === 'u' ? unicodeEscape() : (ESCAPES.get(letter) ?? invalid('unknown escape', at - 2));
        from = at;
        continue;
      }
      if (Number.isNaN(unit)) invalid('unfinished string', opened);
      if (unit < 0x20) invalid('control character in a string');
      at += 1;
    }
  };
  const scalar = (): JsonValue => {
    for (const [word, value, python] of WORDS) {
      if (text.startsWith(word, at) && (dialect.python || !python)) {
        at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = at;
    const digits = NUMBER.exec(text)?.[0] ?? invalid('unexpected character');
    at += digits.length;
    return Number(digits);
  };
  const list = (depth: number): JsonValue => {
    const items: JsonValue[] = [];
    at += 1;
    space();
    if (text.charAt(at) === ']') {
      at += 1;
      return items;
    }
    for (;;) {
      items.push(value(depth + 1));
      space();
      const mark = text.charAt(at);
      at += 1;
      if (mark === ']') return items;
      if (mark !== ',') invalid('expected , or ]', at - 1);
    }
  };
  const object = (depth: number): JsonValue => {
    const entries = new Map<string, JsonValue>();
    const opened = at;
    at += 1;
    space();
    if (text.charAt(at) === '}') {
      at += 1;
      return { at: opened, entries };
    }
    for (;;) {
      space();
      const named = at;
      if (text.charAt(at) !== '"') invalid('expected a key');
      const key = string();
      space();
      if (text.charAt(at) !== ':') invalid('expected :');
      at += 1;
      const before = entries.get(key);
      if (before !== undefined) {
        duplicates.push({ key, at: named, value: before });
        if (duplicates.length > DUPLICATES) exceeded('JSON duplicate keys', DUPLICATES);
      }
      entries.set(key, value(depth + 1));
      space();
      const mark = text.charAt(at);
      at += 1;
      if (mark === '}') return { at: opened, entries };
      if (mark !== ',') invalid('expected , or }', at - 1);
    }
  };
  const value = (depth: number): JsonValue => {
    if (depth > dialect.depth) exceeded('JSON depth', dialect.depth);
    space();
    const mark = text.charAt(at);
    if (mark === '{') return object(depth);
    if (mark === '[') return list(depth);
    return mark === '"' ? string() : scalar();
  };
  return { value: value(1), duplicates, end: at };
};
