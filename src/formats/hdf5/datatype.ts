import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { invalid } from './file.ts';

/** Types inside each other. */
const DEPTH = 32;
/** Members of one compound type or names of one enumeration. */
const MEMBERS = 10_000;
/** Bytes of the name of a member. */
const NAME = 1024;
/** Bytes of one element: a compound of some thousand numbers. */
const ELEMENT = 1 << 30;

export type Class =
  | 'integer'
  | 'float'
  | 'time'
  | 'string'
  | 'bits'
  | 'opaque'
  | 'compound'
  | 'reference'
  | 'enumeration'
  | 'variable'
  | 'array'
  | 'complex';

const CLASSES: readonly Class[] = [
  'integer',
  'float',
  'time',
  'string',
  'bits',
  'opaque',
  'compound',
  'reference',
  'enumeration',
  'variable',
  'array',
  'complex',
];

export type Datatype = {
  readonly class: Class;
  /** Bytes of one element. */
  readonly size: number;
  /** Of a variable-length type: whether it is text. */
  readonly text: boolean;
  /** Types inside: the base of arrays and sequences, the members of compounds. */
  readonly inner: readonly Datatype[];
};

/** Reads a datatype message (HDF5 file format 3.0, IV.A.2.d) and leaves the cursor behind it. */
export const readDatatype = (cursor: Cursor, depth = 0): Datatype => {
  within('nested datatypes', depth, DEPTH);
  const at = cursor.position;
  const head = cursor.u8();
  const version = head >> 4;
  const kind = CLASSES[head & 0x0f];
  if (kind === undefined || version < 1 || version > 5) return invalid('a datatype is not known', at);
  const bits = cursor.u8() | (cursor.u8() << 8) | (cursor.u8() << 16);
  const size = within('bytes of one element', cursor.u32(), ELEMENT);
  const text = kind === 'string' || (kind === 'variable' && (bits & 0x0f) === 1);
  return { class: kind, size, text, inner: readInner(cursor, kind, version, bits, size, depth) };
};

/** Bytes of properties of the classes that hold no other type. */
const PROPERTIES: Partial<Record<Class, number>> = { integer: 4, float: 12, time: 2, bits: 4 };

const readInner = (
  cursor: Cursor,
  kind: Class,
  version: number,
  bits: number,
  size: number,
  depth: number,
): Datatype[] => {
  const base = (): Datatype => readDatatype(cursor, depth + 1);
  const members = (): number => within('members of a datatype', bits & 0xffff, MEMBERS);
  switch (kind) {
    case 'opaque':
      cursor.skip(padded(bits & 0xff));
      return [];
    case 'variable':
    case 'complex':
      return [base()];
    case 'array':
      skipDimensions(cursor, version);
      return [base()];
    case 'compound':
      return Array.from({ length: members() }, () => readMember(cursor, version, size, depth));
    case 'enumeration': {
      const of = base();
      const names = members();
      for (let index = 0; index < names; index++) skipName(cursor, version < 3);
      cursor.bytes(names * of.size);
      return [of];
    }
    default:
      cursor.bytes(PROPERTIES[kind] ?? 0);
      return [];
  }
};

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

const skipDimensions = (cursor: Cursor, version: number): void => {
  const rank = cursor.u8();
  if (version < 3) cursor.skip(3 + rank * 4);
  cursor.skip(rank * 4);
};

const readMember = (cursor: Cursor, version: number, size: number, depth: number): Datatype => {
  skipName(cursor, version < 3);
  if (version < 3) cursor.skip(4);
  else cursor.skip(size < 0x100 ? 1 : size < 0x10000 ? 2 : size < 0x1000000 ? 3 : 4);
  if (version === 1) cursor.skip(28);
  return readDatatype(cursor, depth + 1);
};

/** A name up to its NUL; older versions fill it up to a multiple of eight bytes. */
const skipName = (cursor: Cursor, fills: boolean): void => {
  let bytes = 1;
  while (cursor.u8() !== 0) bytes = within('bytes of the name of a member', bytes + 1, NAME);
  if (fills) cursor.skip(padded(bytes) - bytes);
};

/** Whether a type or one inside it is of the given class. */
export const holds = (type: Datatype, wanted: Class): boolean =>
  type.class === wanted || type.inner.some((inner) => holds(inner, wanted));
