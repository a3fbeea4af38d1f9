import type { Cursor } from '../../bytes/cursor.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Content, type Context, worseContent } from '../format.ts';

/** Cells and structures inside each other. */
const DEPTH = 64;
/** Dimensions of an array. */
const DIMENSIONS = 64;
/** Fields of a structure. */
const FIELDS = 100_000;

const MATRIX = 14;
const INT8 = 1;
const INT32 = 5;
const UINT32 = 6;
/** Bytes of an element by data type; text encodings count bytes. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 4],
  [6, 4],
  [7, 4],
  [9, 8],
  [12, 8],
  [13, 8],
  [16, 1],
  [17, 2],
  [18, 4],
]);
/** Array classes: 1 cell, 2 structure, 3 object, 4 text, 5 sparse, 6 to 15 numbers, 16 function, 17 object of a class. */
const CELL = 1;
const STRUCTURE = 2;
const OBJECT = 3;
const SPARSE = 5;
const FUNCTION = 16;
const OPAQUE = 17;
const COMPLEX = 1 << 11;

type Part = { readonly type: number; readonly length: number; readonly end: number; readonly small: boolean };

/** Walks the array in `cursor` up to `end`; offsets of findings are those of its variable. */
export const walkMatrix = (cursor: Cursor, end: number, offset: number, context: Context): Content => {
  let content: Content = 'inert';

  const invalid: (message: string) => never = (message) => {
    throw new WeighbridgeError('FORMAT_INVALID', `MATLAB: ${message}`, { offset });
  };
  /** The tag of a part; a short one has its bytes inside. `end` is where the padded bytes end. */
  const part = (limit: number): Part => {
    if (limit - cursor.position < 8) invalid('a part without a tag');
    const first = cursor.u32();
    const small = first >>> 16 !== 0;
    const length = small ? first >>> 16 : cursor.u32();
    const start = cursor.position;
    const padded = small ? start + 4 : start + length + ((8 - (length % 8)) % 8);
    if ((small && length > 4) || start + length > limit) invalid('a part ends behind its array');
    return { type: small ? first & 0xffff : first, length, end: Math.min(padded, limit), small };
  };
  const numbers = (limit: number): number => {
    const { type, length, end: behind } = part(limit);
    const width = WIDTHS.get(type) ?? invalid('numbers of an unknown type');
    if (length % width !== 0) invalid('half a number');
    cursor.position = behind;
    return length / width;
  };
  const dimensions = (limit: number): number => {
    const { type, length, end: behind } = part(limit);
    if (type !== INT32 || length % 4 !== 0 || length < 8) invalid('no dimensions');
    within('MATLAB dimensions', length / 4, DIMENSIONS);
    let count = 1n;
    for (let left = length; left > 0; left -= 4) {
      const size = cursor.i32();
      if (size < 0) invalid('a negative dimension');
      count *= BigInt(size);
    }
    cursor.position = behind;
    // An empty array inside takes eight bytes, a number one: nothing has more elements than bytes.
    if (count > BigInt(cursor.source.size)) invalid('more elements than bytes');
    return Number(count);
  };
  const fieldsOf = (limit: number): number => {
    const width = part(limit);
    if (width.type !== INT32 || width.length !== 4) invalid('no length of field names');
    const bytes = cursor.i32();
    cursor.position = width.end;
    const names = part(limit);
    if (names.type !== INT8 || bytes <= 0 || names.length % bytes !== 0) invalid('no field names');
    cursor.position = names.end;
    return within('MATLAB fields', names.length / bytes, FIELDS);
  };
  const nested = (count: number, limit: number, depth: number): void => {
    for (let left = count; left > 0; left--) {
      const { type, length, end: behind } = part(limit);
      if (type !== MATRIX) invalid('a cell that is no array');
      if (length > 0) array(cursor.position + length, depth + 1);
      cursor.position = behind;
    }
  };
  const refuse = (rule: string, message: string): void => {
    content = worseContent(content, 'active');
    context.report({ rule: `mat.${rule}`, severity: 'high', message, offset, refs: ['CWE-502', 'AML.T0010'] });
  };
  const array = (limit: number, depth: number): void => {
    if (depth > DEPTH) exceeded('MATLAB depth', DEPTH);
    context.budget.spend('steps', 1);
    const flags = part(limit);
    if (flags.type !== UINT32 || flags.length !== 8) invalid('no array flags');
    const word = cursor.u32();
    cursor.position = flags.end;
    const kind = word & 0xff;
    if (kind === OPAQUE) {
      // Names of the object and its class follow, then its state: who loads it calls the class.
      refuse('object', 'an object of a class: loading calls its loadobj');
      cursor.position = limit;
      return;
    }
    const count = dimensions(limit);
    numbers(limit);
    if (kind === FUNCTION) {
      refuse('function', 'a function handle: its text is evaluated when it is loaded');
      cursor.position = limit;
    } else if (kind === CELL) nested(count, limit, depth);
    else if (kind === STRUCTURE || kind === OBJECT) {
      if (kind === OBJECT) {
        refuse('object', 'an object of a class: loading calls its loadobj');
        numbers(limit);
      }
      nested(count * fieldsOf(limit), limit, depth);
    } else if (kind >= 4 && kind <= 15) {
      if (kind === SPARSE) {
        numbers(limit);
        numbers(limit);
      }
      const real = numbers(limit);
      if (kind !== SPARSE && kind !== 4 && real !== count)
        invalid('another number of elements than its dimensions say');
      if ((word & COMPLEX) !== 0) numbers(limit);
    } else invalid(`class ${kind} is not known`);
    if (cursor.position < limit - 7) invalid('bytes follow an array');
  };
  array(end, 1);
  return content;
};
