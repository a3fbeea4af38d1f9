import { within } from '../../bytes/limits.ts';
import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Context } from '../format.ts';
import { type ByteAt, byteAt } from '../protobuf/wire.ts';

/**
 * FlatBuffers (flatbuffers.dev, "Internals"). A table begins with a signed distance back to its vtable: the vtable's and
 * the table's own length (16 bits each), then for each field its offset in the table, or 0. References are unsigned
 * offsets from where they stand; vectors and strings are a 32-bit count and elements. Readers follow offsets without
 * checking them unless they run a verifier first, so each one is checked here.
 */

/** Elements of one vector. A model has some ten thousand tensors; buffers of bytes are not counted here. */
const ELEMENTS = 4_000_000;
/** Bytes of a string: names of tensors and operators. */
const STRING = 64 * 1024;

export type FlatBuffer = {
  readonly source: RandomAccess;
  readonly bytes: ByteAt;
  readonly context: Context;
  /** Where the last byte that was reached ends. */
  reach: number;
};

export type Table = {
  readonly at: number;
  readonly vtable: number;
  readonly vtableSize: number;
  readonly size: number;
};
export type Vector = { readonly at: number; readonly length: number };

export const openFlatBuffer = (source: RandomAccess, context: Context): FlatBuffer => ({
  source,
  bytes: byteAt(source),
  context,
  reach: 0,
});

const touch = (buffer: FlatBuffer, at: number, length: number): void => {
  checkRange(buffer.source.size, at, length);
  buffer.reach = Math.max(buffer.reach, at + length);
};

const unsigned = (buffer: FlatBuffer, at: number, width: number): number => {
  touch(buffer, at, width);
  let value = 0;
  for (let index = width - 1; index >= 0; index--) value = value * 256 + buffer.bytes(at + index);
  return value;
};

export const u32 = (buffer: FlatBuffer, at: number): number => unsigned(buffer, at, 4);
export const i32 = (buffer: FlatBuffer, at: number): number => u32(buffer, at) | 0;

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/** The table that stands at `at`. */
export const tableAt = (buffer: FlatBuffer, at: number): Table => {
  buffer.context.budget.spend('steps', 1);
  const vtable = at - i32(buffer, at);
  if (vtable < 0) invalid('a table has its vtable before the file', at);
  const vtableSize = unsigned(buffer, vtable, 2);
  const size = unsigned(buffer, vtable + 2, 2);
  if (vtableSize < 4 || vtableSize % 2 !== 0 || size < 4) invalid('a vtable is malformed', vtable);
  touch(buffer, vtable, vtableSize);
  touch(buffer, at, size);
  return { at, vtable, vtableSize, size };
};

/** The table that the root of the buffer refers to. */
export const rootOf = (buffer: FlatBuffer): Table => tableAt(buffer, u32(buffer, 0));

/** Where a field of `width` bytes stands, or undefined when the table has none. */
const place = (buffer: FlatBuffer, table: Table, field: number, width: number): number | undefined => {
  const slot = 4 + 2 * field;
  if (slot + 2 > table.vtableSize) return undefined;
  const offset = unsigned(buffer, table.vtable + slot, 2);
  if (offset === 0) return undefined;
  if (offset < 4 || offset + width > table.size) invalid('a field lies outside its table', table.at);
  return table.at + offset;
};

/** A scalar field of up to eight bytes, little endian and unsigned; `otherwise` when the table has none. */
export const scalar = (buffer: FlatBuffer, table: Table, field: number, width: number, otherwise = 0): number => {
  const at = place(buffer, table, field, width);
  return at === undefined ? otherwise : unsigned(buffer, at, width);
};

const followed = (buffer: FlatBuffer, table: Table, field: number): number | undefined => {
  const at = place(buffer, table, field, 4);
  return at === undefined ? undefined : at + u32(buffer, at);
};

/** The table that a field leads to; undefined without one. */
export const tableOf = (buffer: FlatBuffer, table: Table, field: number): Table | undefined => {
  const at = followed(buffer, table, field);
  return at === undefined ? undefined : tableAt(buffer, at);
};

/** A vector whose elements have `width` bytes; empty when the table has none. */
export const vectorOf = (buffer: FlatBuffer, table: Table, field: number, width: number): Vector => {
  const at = followed(buffer, table, field);
  if (at === undefined) return { at: 0, length: 0 };
  const length = u32(buffer, at);
  if (width > 1) within('elements of a vector', length, ELEMENTS);
  touch(buffer, at + 4, length * width);
  return { at: at + 4, length };
};

/** The tables that a vector of references leads to. */
export const tablesOf = function* (buffer: FlatBuffer, table: Table, field: number): Generator<Table> {
  const { at, length } = vectorOf(buffer, table, field, 4);
  for (let index = 0; index < length; index++) {
    const reference = at + 4 * index;
    yield tableAt(buffer, reference + u32(buffer, reference));
  }
};

/** The numbers of a vector of 32-bit integers. */
export const integersOf = (buffer: FlatBuffer, table: Table, field: number): number[] => {
  const { at, length } = vectorOf(buffer, table, field, 4);
  buffer.context.budget.spend('steps', length);
  return Array.from({ length }, (_, index) => i32(buffer, at + 4 * index));
};

/** The text of a string field; empty without one. Throws FORMAT_INVALID when it is not UTF-8. */
export const stringOf = (buffer: FlatBuffer, table: Table, field: number): string => {
  const { at, length } = vectorOf(buffer, table, field, 1);
  return length === 0 ? '' : decodeUtf8(buffer.source.read(at, within('characters of a name', length, STRING)), at);
};
