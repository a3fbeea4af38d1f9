import { createCursor } from '../../bytes/cursor.ts';
import { type Budget, exceeded, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { JsonValue } from '../json/parse.ts';

/** Objects and arrays inside each other; models of XGBoost have seven. */
const DEPTH = 64;
/** Bytes of one text: attributes hold settings of the Python package as JSON. */
const TEXT = 16 * 1024 * 1024;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `UBJSON: ${message}`, { offset });
};

/** Bytes of the numbers by their marks (Universal Binary JSON, draft 12). */
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ...(['i', 'U'] as const).map((mark) => [mark, 1] as const),
  ['I', 2],
  ...(['l', 'd'] as const).map((mark) => [mark, 4] as const),
  ...(['L', 'D'] as const).map((mark) => [mark, 8] as const),
]);

/** One document of UBJSON and where it ends. `duplicate` is a key that occurs twice. */
export const readUbjson = (
  source: RandomAccess,
  budget: Budget,
): { readonly value: JsonValue; readonly end: number; readonly duplicate: string | undefined } => {
  const cursor = createCursor(source);
  let duplicate: string | undefined;

  const mark = (): string => String.fromCharCode(cursor.u8());
  const peek = (): string => String.fromCharCode(source.read(cursor.position, 1)[0] ?? 0);
  const number = (type: string): number => {
    const width = WIDTHS.get(type) ?? invalid('expected a number', cursor.position);
    const bytes = cursor.bytes(width);
    const view = new DataView(bytes.buffer, bytes.byteOffset, width);
    if (type === 'i') return view.getInt8(0);
    if (type === 'U') return view.getUint8(0);
    if (type === 'I') return view.getInt16(0);
    if (type === 'l') return view.getInt32(0);
    if (type === 'd') return view.getFloat32(0);
    return type === 'D' ? view.getFloat64(0) : Number(view.getBigInt64(0));
  };
  const count = (): number => {
    const at = cursor.position;
    const value = number(mark());
    if (!Number.isSafeInteger(value) || value < 0) invalid('a count is none', at);
    return value;
  };
  const text = (): string => {
    const length = within('UBJSON text bytes', count(), TEXT);
    const at = cursor.position;
    return decodeUtf8(cursor.bytes(length), at);
  };
  /** `$` type and `#` count, which may stand behind the bracket. */
  const header = (): { readonly type: string | undefined; readonly left: number | undefined } => {
    let type: string | undefined;
    if (peek() === '$') {
      cursor.skip(1);
      type = mark();
      if (peek() !== '#') invalid('a type without a count', cursor.position);
    }
    if (peek() !== '#') return { type, left: undefined };
    cursor.skip(1);
    const left = count();
    within('UBJSON elements', left, Math.floor(cursor.remaining() / (WIDTHS.get(type ?? '') ?? 1)));
    return { type, left };
  };
  const array = (depth: number): JsonValue => {
    const { type, left } = header();
    const items: JsonValue[] = [];
    for (let index = 0; left === undefined || index < left; index++) {
      if (left === undefined && peek() === ']') {
        cursor.skip(1);
        break;
      }
      items.push(value(type ?? mark(), depth + 1));
    }
    return items;
  };
  const object = (depth: number): JsonValue => {
    const at = cursor.position - 1;
    const { type, left } = header();
    const entries = new Map<string, JsonValue>();
    for (let index = 0; left === undefined || index < left; index++) {
      if (left === undefined && peek() === '}') {
        cursor.skip(1);
        break;
      }
      const key = text();
      if (entries.has(key)) duplicate ??= key;
      entries.set(key, value(type ?? mark(), depth + 1));
    }
    return { at, entries };
  };
  const value = (type: string, depth: number): JsonValue => {
    if (depth > DEPTH) exceeded('UBJSON depth', DEPTH);
    budget.spend('steps', 1);
    if (type === '{') return object(depth);
    if (type === '[') return array(depth);
    if (type === 'S' || type === 'H') return text();
    if (type === 'C') return mark();
    if (type === 'Z' || type === 'N') return null;
    return type === 'T' || type === 'F' ? type === 'T' : number(type);
  };
  const root = value(mark(), 1);
  return { value: root, end: cursor.position, duplicate };
};
