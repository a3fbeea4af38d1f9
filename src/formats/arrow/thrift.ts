import type { Cursor } from '../../bytes/cursor.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';

/** A struct by field number; only what the footer of Parquet uses is kept. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;
export type ThriftValue = boolean | number | bigint | Uint8Array | readonly ThriftValue[] | ThriftStruct;

/** Structs and lists inside each other; Parquet's metadata nests nine deep. */
const DEPTH = 32;
/** Elements of one list; a footer lists every column of every row group. */
const ELEMENTS = 4_000_000;

/** A number of Thrift's compact protocol: seven bits a byte, the lowest first. Throws FORMAT_TRUNCATED or FORMAT_INVALID. */
export const varint = (cursor: Cursor): bigint => {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.u8();
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw new WeighbridgeError('FORMAT_INVALID', 'a number goes on for more than ten bytes', { offset: cursor.position });
};

/** A number with a sign, which stands in its lowest bit. */
export const zigzag = (cursor: Cursor): bigint => {
  const value = varint(cursor);
  return (value >> 1n) ^ -(value & 1n);
};

const count = (cursor: Cursor, limit: number): number => within('thrift length', Number(varint(cursor)), limit);

/**
 * One struct of Apache Thrift's compact protocol. Throws FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED; `step` is
 * called once a value.
 * Specification: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export const readStruct = (cursor: Cursor, step: () => void, depth = 1): ThriftStruct => {
  if (depth > DEPTH) exceeded('thrift depth', DEPTH);
  const fields = new Map<number, ThriftValue>();
  let field = 0;
  for (;;) {
    const byte = cursor.u8();
    const type = byte & 0x0f;
    if (type === 0) return fields;
    field = byte >> 4 === 0 ? Number(zigzag(cursor)) : field + (byte >> 4);
    if (fields.has(field))
      throw new WeighbridgeError('FORMAT_INVALID', `field ${field} occurs twice`, { offset: cursor.position });
    // Booleans of a struct stand in the type itself.
    fields.set(field, type === 1 || type === 2 ? type === 1 : readValue(cursor, type, step, depth));
  }
};

const readValue = (cursor: Cursor, type: number, step: () => void, depth: number): ThriftValue => {
  step();
  switch (type) {
    case 1:
    case 2:
      return cursor.u8() === 1;
    case 3:
      return cursor.u8();
    case 4:
    case 5:
    case 6:
      return zigzag(cursor);
    case 7:
      return cursor.f64();
    case 8:
      return cursor.bytes(count(cursor, cursor.source.size));
    case 9:
    case 10: {
      const byte = cursor.u8();
      const length = byte >> 4 === 15 ? count(cursor, ELEMENTS) : byte >> 4;
      if (depth >= DEPTH) exceeded('thrift depth', DEPTH);
      const items: ThriftValue[] = [];
      for (let index = 0; index < length; index++) items.push(readValue(cursor, byte & 0x0f, step, depth + 1));
      return items;
    }
    case 12:
      return readStruct(cursor, step, depth + 1);
    default:
      throw new WeighbridgeError('FORMAT_INVALID', `thrift type ${type} is not used by Parquet`, {
        offset: cursor.position,
      });
  }
};

/** Narrowing of values. */
export const listOf = (value: ThriftValue | undefined): readonly ThriftValue[] => (Array.isArray(value) ? value : []);
export const structOf = (value: ThriftValue | undefined): ThriftStruct => (value instanceof Map ? value : new Map());
export const bytesOf = (value: ThriftValue | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array();
export const bigOf = (value: ThriftValue | undefined): bigint => (typeof value === 'bigint' ? value : 0n);
