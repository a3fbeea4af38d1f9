import { KIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { FieldSpec, Schema } from './schema.ts';

/**
 * Protocol buffers, wire format (protobuf.dev, "Encoding"). A message is a run of fields; a field is a varint tag
 * (number << 3 | wire type) and a value: a varint (0), 8 bytes (1), a length and bytes (2: text, nested messages, packed
 * numbers) or 4 bytes (5). Nothing says which message it is or where it ends: only a schema gives the bytes a meaning,
 * and readers skip fields that theirs does not know. So every field here is held against a schema, and what does not
 * fit is counted. Bytes of long values are never read, only their range is kept.
 */

/** Wire types. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
/** The largest field number (29 bits). */
const NUMBER_LIMIT = 536_870_911;
/** Bytes read ahead; most fields are a few bytes long. */
const CHUNK = 64 * KIB;
/** Bytes of one text that is looked at. Names and configurations are shorter; longer ones are cut. */
export const TEXT = 4 * 1024 * KIB;

/** One field as it stands in the file. */
export type Field = {
  /** Empty when the schema does not know the field. */
  readonly name: string;
  readonly spec: FieldSpec | undefined;
  readonly number: number;
  /** Where its tag is. */
  readonly at: number;
  /** Its value's bytes (behind the length); for a number the bytes of the number. */
  readonly start: number;
  readonly end: number;
  /** Of a varint; 0 for the others. Negative numbers are negative. */
  readonly value: number | bigint;
  /** True for the wire type with a length. */
  readonly sized: boolean;
};

/** Bytes of a source one by one, from a window that is read ahead. */
export type ByteAt = (offset: number) => number;

/** A reader of single bytes for `source`. Throws FORMAT_TRUNCATED behind its end. */
export const byteAt = (source: RandomAccess): ByteAt => {
  let from = 0;
  let chunk = new Uint8Array(0);
  return (offset) => {
    if (offset < from || offset >= from + chunk.length) {
      chunk = source.read(offset, Math.max(1, Math.min(CHUNK, source.size - offset))).slice();
      from = offset;
    }
    return chunk[offset - from] ?? 0;
  };
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

type Varint = { readonly value: number | bigint; readonly next: number };

const varint = (bytes: ByteAt, at: number, end: number): Varint => {
  let value = 0;
  for (let index = 0; index < 7; index++) {
    if (at + index >= end) return truncated(at);
    const byte = bytes(at + index);
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: at + index + 1 };
  }
  return longVarint(bytes, at, end);
};

const longVarint = (bytes: ByteAt, at: number, end: number): Varint => {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    if (at + index >= end) return truncated(at);
    const byte = bytes(at + index);
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) {
      const signed = BigInt.asIntN(64, value);
      const safe = signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER);
      return { value: safe ? Number(signed) : signed, next: at + index + 1 };
    }
  }
  return invalid(`the number at ${at} is longer than 64 bits`, at);
};

const truncated = (offset: number): never => {
  throw new WeighbridgeError('FORMAT_TRUNCATED', `a field at ${offset} ends behind its message`, { offset });
};

/** The numbers of a packed field, or of one that is not packed; at most `limit` of them. */
export const numbersOf = (bytes: ByteAt, field: Field, limit: number): (number | bigint)[] => {
  if (!field.sized) return [field.value];
  const numbers: (number | bigint)[] = [];
  for (let at = field.start; at < field.end; ) {
    within('numbers of a packed field', numbers.length + 1, limit);
    const { value, next } = varint(bytes, at, field.end);
    numbers.push(value);
    at = next;
  }
  return numbers;
};

/**
 * The fields of the message of type `message` between `start` and `end`, one after the other. Throws FORMAT_INVALID and
 * FORMAT_TRUNCATED.
 */
export const fieldsIn = function* (
  bytes: ByteAt,
  schema: Schema,
  message: string,
  start: number,
  end: number,
): Generator<Field> {
  const specs = schema.get(message);
  for (let at = start; at < end; ) {
    const tag = varint(bytes, at, end);
    const key = Number(tag.value);
    const number = Math.floor(key / 8);
    const type = key % 8;
    if (number < 1 || number > NUMBER_LIMIT) invalid(`no field has the number ${number}`, at);
    const { value, start, end: next } = valueAt(bytes, type, tag.next, end, at);
    const found = specs?.get(number);
    const spec = found !== undefined && fits(found, type) ? found : undefined;
    const name = spec === undefined ? '' : spec.name;
    yield { name, spec, number, at, start, end: next, value, sized: type === BYTES };
    at = next;
  }
};

type Value = { readonly value: number | bigint; readonly start: number; readonly end: number };

const valueAt = (bytes: ByteAt, type: number, from: number, end: number, at: number): Value => {
  if (type === VARINT) {
    const { value, next } = varint(bytes, from, end);
    return { value, start: from, end: next };
  }
  const length = lengthOf(bytes, type, from, end, at);
  if (length.value > end - length.next) truncated(at);
  return { value: 0, start: length.next, end: length.next + length.value };
};

const lengthOf = (bytes: ByteAt, type: number, from: number, end: number, at: number) => {
  if (type === FIXED32) return { value: 4, next: from };
  if (type === FIXED64) return { value: 8, next: from };
  if (type !== BYTES) return invalid(`wire type ${type} does not exist or is out of use`, at);
  const { value, next } = varint(bytes, from, end);
  if (typeof value !== 'number' || value < 0) return truncated(at);
  return { value, next };
};

/** Whether a parser would take a value of this wire type for the field; it skips it otherwise. */
const fits = ({ kind, repeated }: FieldSpec, type: number): boolean => {
  if (kind === 'int') return type === VARINT || (repeated && type === BYTES);
  if (kind === 'f32') return type === FIXED32 || (repeated && type === BYTES);
  if (kind === 'f64') return type === FIXED64 || (repeated && type === BYTES);
  return type === BYTES;
};

/** The text of a field, at most `limit` bytes of it. Throws FORMAT_INVALID when it is not UTF-8. */
export const textOf = (source: RandomAccess, field: Field | undefined, limit = TEXT): string =>
  field === undefined
    ? ''
    : decodeUtf8(source.read(field.start, Math.min(limit, field.end - field.start)), field.start);

/** The bytes of a field as characters of the same number, at most `limit`; for text that need not be UTF-8. */
export const latinOf = (source: RandomAccess, field: Field | undefined, limit = TEXT): string => {
  if (field === undefined) return '';
  const bytes = source.read(field.start, Math.min(limit, field.end - field.start));
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096)
    parts.push(Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + 4096)));
  return parts.join('');
};
