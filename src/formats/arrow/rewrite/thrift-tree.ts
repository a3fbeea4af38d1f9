import type { Cursor } from '../../../bytes/cursor.ts';
import { exceeded, within } from '../../../bytes/limits.ts';
import { WeighbridgeError } from '../../../errors.ts';
import { varint, zigzag } from '../thrift.ts';
import { createOut, type Out } from './out.ts';

/** Structs and lists inside each other; Parquet's metadata nests nine deep. */
const DEPTH = 32;
/** Elements of one list; a footer lists every column of every row group. */
const ELEMENTS = 1_000_000;

/** Types of Thrift's compact protocol. */
export const TYPE = {
  yes: 1,
  no: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  struct: 12,
};

/** A value with its type, so that it can be written as it was read. */
export type Tree =
  | { readonly type: number; readonly number: bigint }
  | { readonly type: number; readonly bytes: Uint8Array }
  | { readonly type: number; readonly of: number; readonly items: readonly Tree[] }
  | { readonly type: number; readonly fields: Fields }
  | { readonly type: number };
/** The fields of a struct by number, in the order of the numbers. */
export type Fields = ReadonlyMap<number, Tree>;

const invalid = (message: string, cursor: Cursor): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset: cursor.position });
};

/**
 * One struct, with the types of its values. Throws FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED; `step` is called
 * once a value. Fields that are out of order are invalid: no writer of Parquet leaves them so.
 * Specification: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export const readTree = (cursor: Cursor, step: () => void, depth = 1): Fields => {
  if (depth > DEPTH) exceeded('thrift depth', DEPTH);
  const fields = new Map<number, Tree>();
  let field = 0;
  for (;;) {
    const byte = cursor.u8();
    const type = byte & 0x0f;
    if (type === 0) return fields;
    const more = byte >> 4;
    const next = more === 0 ? Number(zigzag(cursor)) : field + more;
    if (next <= field) invalid('fields are not in order', cursor);
    field = next;
    fields.set(field, type === TYPE.yes || type === TYPE.no ? { type } : readValue(cursor, type, step, depth));
  }
};

const readValue = (cursor: Cursor, type: number, step: () => void, depth: number): Tree => {
  step();
  switch (type) {
    case TYPE.yes:
    case TYPE.no:
      return { type: cursor.u8() === TYPE.yes ? TYPE.yes : TYPE.no };
    case TYPE.byte:
      return { type, bytes: cursor.bytes(1) };
    case TYPE.i16:
    case TYPE.i32:
    case TYPE.i64:
      return { type, number: zigzag(cursor) };
    case TYPE.double:
      return { type, bytes: cursor.bytes(8) };
    case TYPE.binary:
      return { type, bytes: cursor.bytes(within('thrift length', Number(varint(cursor)), cursor.source.size)) };
    case TYPE.list:
    case TYPE.set: {
      const byte = cursor.u8();
      const of = byte & 0x0f;
      const length = byte >> 4 === 15 ? within('thrift length', Number(varint(cursor)), ELEMENTS) : byte >> 4;
      if (depth >= DEPTH) exceeded('thrift depth', DEPTH);
      const items: Tree[] = [];
      for (let index = 0; index < length; index++) items.push(readValue(cursor, of, step, depth + 1));
      return { type, of, items };
    }
    case TYPE.struct:
      return { type, fields: readTree(cursor, step, depth + 1) };
    default:
      return invalid(`thrift type ${type} is not used by Parquet`, cursor);
  }
};

/** A struct as bytes. */
export const writeTree = (fields: Fields): Uint8Array => {
  const out = createOut();
  writeFields(out, fields);
  return out.finish();
};

const writeFields = (out: Out, fields: Fields): void => {
  let before = 0;
  for (const [id, tree] of fields) {
    const step = id - before;
    if (step > 0 && step <= 15) out.byte((step << 4) | tree.type);
    else {
      out.byte(tree.type);
      out.varint(BigInt(id) << 1n);
    }
    before = id;
    if (tree.type !== TYPE.yes && tree.type !== TYPE.no) writeValue(out, tree);
  }
  out.byte(0);
};

const writeValue = (out: Out, tree: Tree): void => {
  if ('number' in tree) out.varint(tree.number >= 0n ? tree.number << 1n : (-tree.number << 1n) - 1n);
  else if ('bytes' in tree) {
    if (tree.type === TYPE.binary) out.varint(BigInt(tree.bytes.length));
    out.bytes(tree.bytes);
  } else if ('items' in tree) {
    const { length } = tree.items;
    if (length < 15) out.byte((length << 4) | tree.of);
    else {
      out.byte(0xf0 | tree.of);
      out.varint(BigInt(length));
    }
    for (const item of tree.items) writeValue(out, item);
  } else if ('fields' in tree) writeFields(out, tree.fields);
  else out.byte(tree.type);
};

/** Values as they are written. */
export const i32 = (number: number): Tree => ({ type: TYPE.i32, number: BigInt(number) });
export const i64 = (number: number): Tree => ({ type: TYPE.i64, number: BigInt(number) });
export const struct = (fields: Fields): Tree => ({ type: TYPE.struct, fields });
export const list = (of: number, items: readonly Tree[]): Tree => ({ type: TYPE.list, of, items });

/** The same fields with some replaced, added or, where the value is undefined, left out. */
export const changed = (fields: Fields, changes: Readonly<Record<number, Tree | undefined>>): Fields => {
  const merged = new Map<number, Tree | undefined>(fields);
  for (const [id, tree] of Object.entries(changes)) merged.set(Number(id), tree);
  const sorted = [...merged].sort(([a], [b]) => a - b);
  return new Map(sorted.flatMap(([id, tree]) => (tree === undefined ? [] : [[id, tree] as const])));
};

/** Narrowing of values. */
export const itemsOf = (tree: Tree | undefined): readonly Tree[] =>
  tree !== undefined && 'items' in tree ? tree.items : [];
export const fieldsOf = (tree: Tree | undefined): Fields =>
  tree !== undefined && 'fields' in tree ? tree.fields : new Map();
export const numberOf = (tree: Tree | undefined): number =>
  tree !== undefined && 'number' in tree ? Number(tree.number) : 0;
