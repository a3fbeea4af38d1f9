import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { type Context, type Coverage, complete, incomplete, printable } from '../format.ts';
import type { Schema } from './schema.ts';
import { type ByteAt, byteAt, type Field, fieldsIn, textOf } from './wire.ts';

/** Messages inside each other: protobuf's own readers stop at 100. */
const DEPTH = 100;
/** Fields of one message. The largest published graphs have some hundred thousand nodes. */
const FIELDS = 500_000;

/** A file that is read as one protocol buffer. */
export type Wire = {
  readonly source: RandomAccess;
  readonly bytes: ByteAt;
  readonly schema: Schema;
  readonly context: Context;
  /** Name of the format, the beginning of its rules. */
  readonly format: string;
  /** Fields that the schema does not know, and where the first is. */
  readonly unknown: { count: number; first: string };
};

/** The fields of one message by name, in the order of the file. */
export type Fields = ReadonlyMap<string, readonly Field[]>;
/** A part of the file. */
type Range = { readonly start: number; readonly end: number };
/** What a message is asked when the walk meets it; `range` is where it stands. */
export type Visitor = Readonly<Record<string, (fields: Fields, range: Range, depth: number) => void>>;

export const openWire = (source: RandomAccess, schema: Schema, context: Context, format: string): Wire => ({
  source,
  bytes: byteAt(source),
  schema,
  context,
  format,
  unknown: { count: 0, first: '' },
});

export const one = (fields: Fields, name: string): Field | undefined => fields.get(name)?.at(-1);
export const all = (fields: Fields, name: string): readonly Field[] => fields.get(name) ?? [];
/** The text of the last field of that name; empty without one. */
export const text = ({ source }: Wire, fields: Fields, name: string): string => textOf(source, one(fields, name));

/** The fields of one message, for a visitor that looks ahead; the walk itself says what is wrong with them. */
export const look = (wire: Wire, message: string, range: Range): Fields => gather(wire, message, range, false);

/**
 * The fields of one message. A field that may stand once and stands twice is a finding: readers take the last or merge
 * both. Unknown fields are counted for `coverageOf`.
 */
const gather = (wire: Wire, message: string, { start, end }: Range, judged: boolean): Fields => {
  const found = new Map<string, Field[]>();
  let count = 0;
  for (const field of fieldsIn(wire.bytes, wire.schema, message, start, end)) {
    wire.context.budget.spend('steps', 1);
    count = within('fields of one message', count + 1, FIELDS);
    if (field.spec === undefined) {
      if (judged) noteUnknown(wire, message, field);
      continue;
    }
    const before = found.get(field.name);
    if (before === undefined) found.set(field.name, [field]);
    else {
      if (judged && !field.spec.repeated) reportTwice(wire, message, field);
      before.push(field);
    }
  }
  return found;
};

const noteUnknown = ({ unknown }: Wire, message: string, { number, at }: Field): void => {
  unknown.count += 1;
  unknown.first ||= `field ${number} of ${message} at ${at} is not known`;
};

const reportTwice = ({ context, format }: Wire, message: string, { name, at }: Field): void =>
  context.report({
    rule: `${format}.field-twice`,
    severity: 'medium',
    message: 'a field that may stand once stands twice: readers take the last or merge both',
    offset: at,
    evidence: printable(`${message}.${name}`),
    refs: ['CWE-436'],
  });

/** Walks a message and every message inside it, and asks the visitor about those it names, the outer one first. */
export const walk = (wire: Wire, message: string, range: Range, visitor: Visitor, depth = 0): void => {
  within('nested messages', depth, DEPTH);
  const fields = gather(wire, message, range, true);
  visitor[message]?.(fields, range, depth);
  for (const same of fields.values()) {
    for (const { spec, start, end } of same) {
      if (spec?.kind === 'message') walk(wire, spec.message, { start, end }, visitor, depth + 1);
    }
  }
};

/** Complete when the schema knew every field; partial otherwise. */
export const coverageOf = ({ source, unknown }: Wire): Coverage =>
  unknown.count === 0
    ? complete(source.size)
    : incomplete('partial', source.size, source.size, `${unknown.count} unknown fields: ${unknown.first}`);

/** Fields that are looked at to recognise a message. */
const PEEKED = 64;

/** The first fields of a message, up to one that the schema does not know or that is broken (then `fits` is false). */
export const peek = (
  source: RandomAccess,
  schema: Schema,
  message: string,
  range: Range = { start: 0, end: source.size },
): { readonly fields: readonly Field[]; readonly fits: boolean } => {
  const fields: Field[] = [];
  if (!mayBegin(source, schema, message, range)) return { fields, fits: false };
  try {
    for (const field of fieldsIn(byteAt(source), schema, message, range.start, range.end)) {
      if (field.spec === undefined) return { fields, fits: false };
      fields.push(field);
      if (fields.length === PEEKED) break;
    }
  } catch (error) {
    if (isFault(error)) return { fields, fits: false };
    throw error;
  }
  return { fields, fits: true };
};

/** Whether the first byte begins a field that the schema knows, or is empty: most files are told by it to be something else. */
const mayBegin = (source: RandomAccess, schema: Schema, message: string, { start, end }: Range): boolean => {
  if (start >= end || start >= source.size) return true;
  const [tag = 0] = source.read(start, 1);
  // A number of more than four bits goes on in the next byte.
  return tag >= 0x80 || (isWireType(tag & 7) && schema.get(message)?.has(tag >> 3) === true);
};

/** Groups (3, 4) are out of use, and 6 and 7 do not exist. */
const isWireType = (type: number): boolean => type < 3 || type === 5;
