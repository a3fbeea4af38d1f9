import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { KIB, MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { cutSequence, decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, printable } from '../format.ts';
import { ARRAY, BOOL, SCALAR_SIZES, STRING, TENSOR_TYPES, UINT32 } from './types.ts';

/** Key-value pairs: real files have some dozens. */
const VALUES = 100_000;
/** Tensors: the largest mixture-of-experts models have some ten thousand. */
const TENSORS = 100_000;
/** Bytes of one string: an embedded tokenizer.json has some 20 MB. */
const STRING_BYTES = 64 * MIB;
/** Bytes of a key (the specification's bound) and of a tensor's name (its bound is 64; some writers went beyond). */
const KEY_BYTES = 65_535;
const NAME_BYTES = 1 * KIB;
/** Elements of one array: the largest vocabularies have some 300 thousand tokens. */
const ELEMENTS = 16_000_000;
/** Arrays inside arrays: the specification allows it, no known file does. */
const ARRAY_DEPTH = 4;
/** Bytes of alignment; writers use 32. */
const ALIGNMENT = 64 * KIB;
const DEFAULT_ALIGNMENT = 32;
/** Characters of a string that is kept for the report and the rules. */
const KEPT = 2 * MIB;
/** Bytes of a vocabulary entry that may be a sentence. */
const SENTENCE = { least: 20, most: 4 * KIB };

export type Tensor = {
  readonly name: string;
  readonly type: string;
  /** Slowest dimension first: the file has them the other way round. */
  readonly shape: readonly number[];
  readonly elements: bigint;
  readonly start: number;
  readonly end: number;
};
export type Text = { readonly key: string; readonly text: string; readonly offset: number };
export type Gguf = {
  readonly version: number;
  readonly tensors: readonly Tensor[];
  /** Every string value outside arrays. */
  readonly texts: readonly Text[];
  /** Strings in arrays that are long enough to be sentences. */
  readonly sentences: readonly Text[];
  readonly numbers: ReadonlyMap<string, number>;
  readonly keys: readonly string[];
  readonly dataStart: number;
  readonly dataEnd: number;
  readonly alignment: number;
};

type Reader = { readonly cursor: Cursor; readonly context: Context; count(): number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/**
 * Reads a GGUF file's header (versions 1 to 3, little endian): values, tensor descriptions, and where data must lie.
 * Throws FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED.
 */
export const readGguf = (source: RandomAccess, context: Context): Gguf => {
  const cursor = createCursor(source, 4);
  const version = cursor.u32();
  if (version > 0 && version % 0x10000 === 0)
    invalid('big-endian GGUF: readers on other machines see something else', 4);
  if (version < 1 || version > 3) invalid(`GGUF version ${version} is not known`, 4);
  // Version 1 counts in 32 bits, later ones in 64.
  const reader: Reader = { cursor, context, count: version === 1 ? () => cursor.u32() : () => cursor.u64() };
  const tensorCount = within('GGUF tensors', reader.count(), TENSORS);
  const valueCount = within('GGUF values', reader.count(), VALUES);
  const values = readValues(reader, valueCount);
  const alignment = alignmentOf(values.numbers);
  const described = Array.from({ length: tensorCount }, () => describeTensor(reader));
  const dataStart = align(cursor.position, alignment);
  if (tensorCount > 0) checkGap(source, cursor.position, dataStart);
  const headerEnd = tensorCount > 0 ? dataStart : cursor.position;
  const tensors = place(described, tensorCount > 0 ? dataStart : headerEnd, alignment, source.size);
  const dataEnd = tensors.at(-1)?.end ?? headerEnd;
  return { version, tensors, ...values, dataStart, dataEnd, alignment };
};

export const align = (offset: number, alignment: number): number => Math.ceil(offset / alignment) * alignment;

const readString = ({ cursor, count }: Reader, limit: number): { bytes: Uint8Array; offset: number } => {
  const length = within('GGUF string bytes', count(), limit);
  const offset = cursor.position;
  return { bytes: cursor.bytes(length), offset };
};

const readValues = (reader: Reader, count: number): Pick<Gguf, 'texts' | 'sentences' | 'numbers' | 'keys'> => {
  const { cursor, context } = reader;
  const texts: Text[] = [];
  const sentences: Text[] = [];
  const numbers = new Map<string, number>();
  const keys = new Set<string>();
  for (let index = 0; index < count; index++) {
    context.budget.spend('steps', 1);
    const { bytes, offset } = readString(reader, KEY_BYTES);
    const key = decodeUtf8(bytes, offset);
    if (keys.has(key)) invalid(`key ${printable(key, 60)} occurs twice`, offset);
    if (!/^[\x21-\x7e]+$/.test(key)) invalid(`key ${printable(key, 60)} is empty or not printable`, offset);
    keys.add(key);
    const type = cursor.u32();
    if (key === 'general.alignment' && type !== UINT32) invalid('general.alignment is not a 32-bit number', offset);
    if (type === STRING) {
      const value = readString(reader, STRING_BYTES);
      texts.push({ key, text: decodeUtf8(kept(value.bytes), value.offset), offset: value.offset });
    } else if (type === ARRAY) readArray(reader, key, sentences, 1);
    else {
      const value = readNumber(reader, type);
      if (value !== undefined) numbers.set(key, value);
    }
  }
  return { texts, sentences, numbers, keys: [...keys] };
};

const readNumber = ({ cursor }: Reader, type: number): number | undefined => {
  const size = SCALAR_SIZES.get(type) ?? invalid(`value type ${type} is not known`, cursor.position - 4);
  if (type === UINT32) return cursor.u32();
  const [first] = cursor.bytes(size);
  if (type === BOOL && first !== 0 && first !== 1) invalid('a boolean is neither 0 nor 1', cursor.position - 1);
  return undefined;
};

const readArray = (reader: Reader, key: string, sentences: Text[], depth: number): void => {
  const { cursor, context } = reader;
  within('GGUF array depth', depth, ARRAY_DEPTH);
  const type = cursor.u32();
  const count = within('GGUF array elements', reader.count(), ELEMENTS);
  context.budget.spend('steps', type === STRING || type === ARRAY ? count : 1);
  if (type === ARRAY) {
    for (let index = 0; index < count; index++) readArray(reader, key, sentences, depth + 1);
  } else if (type === STRING) {
    for (let index = 0; index < count; index++) {
      const { bytes, offset } = readString(reader, STRING_BYTES);
      if (bytes.length < SENTENCE.least || bytes.length > SENTENCE.most) continue;
      if (bytes.includes(0x20)) sentences.push({ key, text: ascii(bytes), offset });
    }
  } else {
    const size = SCALAR_SIZES.get(type) ?? invalid(`array element type ${type} is not known`, cursor.position - 4);
    const end = cursor.position + count * size;
    if (end > cursor.source.size) {
      throw new WeighbridgeError('FORMAT_TRUNCATED', `array ${printable(key, 60)} ends behind the file`, {
        offset: cursor.position,
      });
    }
    cursor.position = end;
  }
};

/** The first bytes of a long string, not cutting a character in two. */
const kept = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.subarray(0, KEPT);
  return first.length === bytes.length ? first : first.subarray(0, first.length - cutSequence(first));
};

/** Vocabulary entries may be parts of characters, so they are not held to be UTF-8. */
const ascii = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : ' ')).join('');

const alignmentOf = (numbers: ReadonlyMap<string, number>): number => {
  const alignment = numbers.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (alignment === 0 || (alignment & (alignment - 1)) !== 0)
    invalid(`alignment ${alignment} is not a power of two`, 0);
  return within('GGUF alignment', alignment, ALIGNMENT);
};

type Described = {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly elements: bigint;
  readonly size: bigint;
  readonly offset: number;
  readonly at: number;
};

/** Dimensions of a tensor (`GGML_MAX_DIMS`). */
const RANK = 4;

const describeTensor = (reader: Reader): Described => {
  const { cursor, context } = reader;
  context.budget.spend('steps', 1);
  const { bytes, offset: at } = readString(reader, NAME_BYTES);
  const name = decodeUtf8(bytes, at);
  if (/[\x00-\x1f\x7f]/.test(name)) invalid(`tensor ${printable(name, 60)} has a control character in its name`, at);
  const rank = cursor.u32();
  if (rank > RANK) invalid(`tensor ${printable(name, 60)} has ${rank} dimensions`, at);
  const dims = Array.from({ length: rank }, () => reader.count());
  const code = cursor.u32();
  const type = TENSOR_TYPES.get(code) ?? invalid(`tensor ${printable(name, 60)} has the unknown type ${code}`, at);
  const offset = cursor.u64();
  const elements = dims.reduce((product, dim) => product * BigInt(dim), 1n);
  if ((dims[0] ?? 1) % type.block !== 0)
    invalid(`tensor ${printable(name, 60)}: a row is not a whole number of blocks`, at);
  const size = (elements / BigInt(type.block)) * BigInt(type.bytes);
  return { name, type: type.name, shape: dims.toReversed(), elements, size, offset, at };
};

/** Tensors follow each other in the order of their descriptions, each at the next aligned offset, as ggml demands. */
const place = (described: readonly Described[], dataStart: number, alignment: number, fileSize: number): Tensor[] => {
  const names = new Set<string>();
  let next = 0;
  return described.map(({ name, type, shape, elements, size, offset, at }) => {
    if (names.has(name)) invalid(`tensor ${printable(name, 60)} occurs twice`, at);
    names.add(name);
    if (offset !== next) invalid(`tensor ${printable(name, 60)} lies at ${offset} where ${next} is next`, at);
    const start = dataStart + offset;
    if (size > BigInt(fileSize) || start + Number(size) > fileSize) {
      throw new WeighbridgeError('FORMAT_TRUNCATED', `tensor ${printable(name, 60)} ends behind the file`, {
        offset: at,
      });
    }
    const end = start + Number(size);
    next = align(offset + Number(size), alignment);
    return { name, type, shape, elements, start, end };
  });
};

const checkGap = (source: RandomAccess, from: number, to: number): void => {
  const used = source.read(from, to - from).findIndex((byte) => byte !== 0);
  if (used >= 0) invalid('the padding before the tensors is not zero', from + used);
};
