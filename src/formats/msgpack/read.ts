import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import type { Budget } from '../../bytes/limits.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Containers inside each other: parameters nest by module, some twenty deep; Python's reader stops at 1024. */
const DEPTH = 128;
/** Bytes of one text: names of parameters and small notes. */
const TEXT = 1024 * 1024;

/** A value; bytes stay in the file. A map keeps the order and every pair, so that duplicates can be seen. */
export type Packed =
  | { readonly kind: 'nil' | 'boolean' | 'float'; readonly at: number }
  | { readonly kind: 'integer'; readonly value: number | bigint; readonly at: number }
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'bytes'; readonly start: number; readonly length: number; readonly at: number }
  | { readonly kind: 'list'; readonly items: readonly Packed[]; readonly at: number }
  | { readonly kind: 'map'; readonly pairs: readonly (readonly [Packed, Packed])[]; readonly at: number }
  | {
      readonly kind: 'extension';
      readonly type: number;
      readonly start: number;
      readonly length: number;
      readonly at: number;
    };

/** What was read and where it ends. */
export type PackedValue = { readonly value: Packed; readonly end: number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `MessagePack: ${message}`, { offset });
};

const unsigned = (cursor: Cursor, width: number): number => {
  let value = 0;
  for (const byte of cursor.bytes(width)) value = value * 256 + byte;
  return value;
};

const integer = (cursor: Cursor, width: number, signed: boolean): number | bigint => {
  const value = cursor.bytes(width).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const whole = signed ? BigInt.asIntN(8 * width, value) : value;
  return whole >= BigInt(Number.MIN_SAFE_INTEGER) && whole <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(whole) : whole;
};

/**
 * One value of MessagePack (its specification of 2013 with ext and bin) at `start`. Counts are held against the bytes
 * that are left before anything is made. Throws FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED.
 */
export const readPacked = (source: RandomAccess, budget: Budget, start = 0): PackedValue => {
  const cursor = createCursor(source, start);

  const text = (length: number, at: number): Packed => {
    within('MessagePack text bytes', length, TEXT);
    const from = cursor.position;
    return { kind: 'text', text: decodeUtf8(cursor.bytes(length), from), at };
  };
  const blob = (length: number): number => {
    const from = cursor.position;
    if (length > cursor.remaining())
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'MessagePack: bytes end behind the file', { offset: from });
    cursor.skip(length);
    return from;
  };
  const bytes = (length: number, at: number): Packed => ({ kind: 'bytes', start: blob(length), length, at });
  const extension = (length: number, at: number): Packed => {
    const type = (cursor.u8() << 24) >> 24;
    return { kind: 'extension', type, start: blob(length), length, at };
  };
  const fits = (count: number, width: number): number =>
    within('MessagePack count', count, Math.floor(cursor.remaining() / width));
  const list = (count: number, depth: number, at: number): Packed => {
    const items: Packed[] = [];
    for (let index = fits(count, 1); index > 0; index--) items.push(value(depth + 1));
    return { kind: 'list', items, at };
  };
  const map = (count: number, depth: number, at: number): Packed => {
    const pairs: (readonly [Packed, Packed])[] = [];
    for (let index = fits(count, 2); index > 0; index--) pairs.push([value(depth + 1), value(depth + 1)]);
    return { kind: 'map', pairs, at };
  };
  const value = (depth: number): Packed => {
    if (depth > DEPTH) exceeded('MessagePack depth', DEPTH);
    budget.spend('steps', 1);
    const at = cursor.position;
    const mark = cursor.u8();
    if (mark < 0x80) return { kind: 'integer', value: mark, at };
    if (mark < 0x90) return map(mark & 15, depth, at);
    if (mark < 0xa0) return list(mark & 15, depth, at);
    if (mark < 0xc0) return text(mark & 31, at);
    if (mark >= 0xe0) return { kind: 'integer', value: mark - 256, at };
    switch (mark) {
      case 0xc0:
        return { kind: 'nil', at };
      case 0xc2:
      case 0xc3:
        return { kind: 'boolean', at };
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return bytes(unsigned(cursor, 1 << (mark - 0xc4)), at);
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return extension(unsigned(cursor, 1 << (mark - 0xc7)), at);
      case 0xca:
      case 0xcb:
        cursor.bytes(mark === 0xca ? 4 : 8);
        return { kind: 'float', at };
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return { kind: 'integer', value: integer(cursor, 1 << (mark - 0xcc), false), at };
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return { kind: 'integer', value: integer(cursor, 1 << (mark - 0xd0), true), at };
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return extension(1 << (mark - 0xd4), at);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return text(unsigned(cursor, 1 << (mark - 0xd9)), at);
      case 0xdc:
      case 0xdd:
        return list(unsigned(cursor, mark === 0xdc ? 2 : 4), depth, at);
      case 0xde:
      case 0xdf:
        return map(unsigned(cursor, mark === 0xde ? 2 : 4), depth, at);
      default:
        return invalid(`byte ${mark} begins no value`, at);
    }
  };
  return { value: value(1), end: cursor.position };
};
