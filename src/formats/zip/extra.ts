import { createCursor } from '../../bytes/cursor.ts';
import { fromBytes } from '../../bytes/random-access.ts';

const ALL_16 = 0xffff;
const ALL_32 = 0xffffffff;
const NONE: ReadonlyMap<number, Uint8Array> = new Map();

/**
 * Extra fields by id (APPNOTE 4.5). Undefined when their lengths do not add up; a rest of zero bytes is padding, which
 * aligning writers leave.
 */
export const splitExtra = (bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined => {
  if (bytes.length === 0) return NONE;
  const fields = new Map<number, Uint8Array>();
  const cursor = createCursor(fromBytes(bytes));
  while (cursor.remaining() >= 4) {
    const id = cursor.u16();
    const length = cursor.u16();
    if (length > cursor.remaining()) return isZero(bytes.subarray(cursor.position - 4)) ? fields : undefined;
    const value = cursor.bytes(length);
    if (fields.has(id) && id !== 0) return undefined;
    fields.set(id, value);
  }
  return isZero(bytes.subarray(cursor.position)) ? fields : undefined;
};

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

type Sizes = { readonly plain: number; readonly compressed: number; readonly offset: number; readonly disk: number };

/**
 * The values of a central entry with its zip64 field (APPNOTE 4.5.3), which holds those, and only those, that are all
 * ones in the entry, in this order. Undefined when it holds more or less.
 */
export const readZip64 = (field: Uint8Array | undefined, entry: Sizes): Sizes | undefined => {
  const wanted = [entry.plain === ALL_32, entry.compressed === ALL_32, entry.offset === ALL_32].filter(Boolean).length;
  const disk = entry.disk === ALL_16;
  if (field === undefined) return wanted === 0 && !disk ? entry : undefined;
  if (field.length !== wanted * 8 + (disk ? 4 : 0)) return undefined;
  const cursor = createCursor(fromBytes(field));
  return {
    plain: entry.plain === ALL_32 ? cursor.u64() : entry.plain,
    compressed: entry.compressed === ALL_32 ? cursor.u64() : entry.compressed,
    offset: entry.offset === ALL_32 ? cursor.u64() : entry.offset,
    disk: disk ? cursor.u32() : entry.disk,
  };
};

/**
 * Whether the zip64 field of a local header agrees with the directory: writers put the sizes there (as zeros before they
 * are known) and, though the specification has no place for it, the offset.
 */
export const localZip64Agrees = (
  field: Uint8Array,
  allowed: { plain: number; compressed: number; offset: number },
): boolean => {
  if (field.length % 8 !== 0 || field.length > 24) return false;
  const cursor = createCursor(fromBytes(field));
  const values: number[] = [];
  while (cursor.remaining() > 0) values.push(cursor.u64());
  const { plain, compressed, offset } = allowed;
  const [a = 0, b = 0, c = offset] = values;
  if (values.length === 1) return a === offset || a === plain || a === 0;
  return (a === plain || a === 0) && (b === compressed || b === 0) && c === offset;
};
