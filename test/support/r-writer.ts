import { bytes } from './reports.ts';

const i32 = (value: number): Uint8Array => {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setInt32(0, value);
  return out;
};

const ATTRIBUTES = 1 << 9;
const TAG = 1 << 10;

/** Values of R in XDR, as serialize.c writes them. */
export const chars = (text: string): Uint8Array => bytes(i32((1 << 18) | 9), i32(text.length), text);
export const NIL = i32(254);
export const symbol = (name: string): Uint8Array => bytes(i32(1), chars(name));
/** What was the `index`th symbol or environment, counted from 1. */
export const reference = (index: number): Uint8Array => i32((index << 8) | 255);
export const integers = (...values: number[]): Uint8Array => bytes(i32(13), i32(values.length), ...values.map(i32));
export const doubles = (count: number): Uint8Array => bytes(i32(14), i32(count), new Uint8Array(8 * count));
export const strings = (...texts: string[]): Uint8Array => bytes(i32(16), i32(texts.length), ...texts.map(chars));
/** A list with attributes; each attribute is a name and a value. */
export const list = (
  items: readonly Uint8Array[],
  attributes: readonly (readonly [string, Uint8Array])[],
): Uint8Array =>
  bytes(
    i32(19 | (attributes.length > 0 ? ATTRIBUTES : 0)),
    i32(items.length),
    ...items,
    ...(attributes.length > 0 ? [pairlist(attributes)] : []),
  );
export const pairlist = (pairs: readonly (readonly [string, Uint8Array])[]): Uint8Array =>
  bytes(...pairs.map(([name, value]) => bytes(i32(2 | TAG), symbol(name), value)), NIL);
/** Any type by its number with what follows it. */
export const typed = (type: number, ...parts: Uint8Array[]): Uint8Array => bytes(i32(type), ...parts);
export const int = i32;

/** The file that `saveRDS(compress = FALSE)` writes. */
export const rdsFile = (value: Uint8Array, { version = 3, prefix = '' } = {}): Uint8Array =>
  bytes(
    prefix,
    'X\n',
    i32(version),
    i32(0x40201),
    i32(version === 3 ? 0x30500 : 0x20300),
    version === 3 ? bytes(i32(5), 'UTF-8') : new Uint8Array(),
    value,
  );
