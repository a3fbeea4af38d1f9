import { createCursor } from '../bytes/cursor.ts';
import { latin1 } from '../bytes/latin1.ts';
import { within } from '../bytes/limits.ts';
import { checkRange, type RandomAccess } from '../bytes/random-access.ts';
import { WeighbridgeError } from '../errors.ts';
import {
  type Content,
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  worseContent,
} from './format.ts';
import { planFile } from './numpy/npy-plan.ts';
import { runPickle } from './pickle/machine.ts';
import { type ElementType, elementsOf, elementTypeOf } from './pickle/rules/numpy.ts';
import { windowed } from './pickle/window.ts';
import { type Literal, parseLiteral } from './python-literal.ts';

/** Bytes of a header. numpy itself refuses more than 10,000 unless pickles are allowed; structured types need more. */
const MAX_HEADER = 64 * 1024;

/** Arrays one behind the other in a file (`numpy.save` to an open file). */
const MAX_ARRAYS = 10_000;

/** Dimensions (NPY_MAXDIMS of numpy 2). */
const MAX_DIMENSIONS = 64;

/** Levels of structured types. */
const MAX_NESTING = 8;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** What the header of an array says. Elements are in C order unless `fortran`. */
export type NpyHeader = {
  /** As written: a type string, or the list of fields. */
  readonly descr: Literal;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly fortran: boolean;
  readonly version: number;
  /** Where the elements begin, and how many bytes they take; undefined for objects, which are a pickle. */
  readonly dataOffset: number;
  readonly dataLength: number | undefined;
};

const invalid = (message: string, offset: number): WeighbridgeError =>
  new WeighbridgeError('FORMAT_INVALID', `npy: ${message}`, { offset });

/**
 * Reads the header of the array at `offset` (NEP 1 and numpy/lib/_format_impl.py, versions 1 to 3). Throws
 * FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED; does not look at the elements.
 */
export const readNpyHeader = (source: RandomAccess, offset: number): NpyHeader => {
  const cursor = createCursor(source, offset);
  if (!isMagic(cursor.bytes(MAGIC.length))) throw invalid('no magic number', offset);
  const version = cursor.u8();
  const minor = cursor.u8();
  if (version < 1 || version > 3 || minor !== 0) throw invalid(`version ${version}.${minor} does not exist`, offset);
  const length = within('npy.header', version === 1 ? cursor.u16() : cursor.u32(), MAX_HEADER);
  const text = version === 3 ? cursor.text(length) : latin1(cursor.bytes(length));
  const fields = headerFields(parseLiteral(text), offset);
  const type = elementType(fields.descr, 0);
  if (type === undefined) throw invalid('descr is no type of numpy', offset);
  const shape = shapeOf(fields.shape, offset);
  const elements = elementsOf(shape);
  const bytes = elements === undefined ? undefined : elements * type.size;
  if (bytes === undefined || !Number.isSafeInteger(bytes)) throw invalid('shape is too large', offset);
  return {
    descr: fields.descr,
    type,
    shape,
    fortran: fields.fortran,
    version,
    dataOffset: cursor.position,
    dataLength: type.objects ? undefined : bytes,
  };
};

const isMagic = (bytes: Uint8Array): boolean => MAGIC.every((byte, at) => bytes[at] === byte);

const headerFields = (literal: Literal, offset: number): { descr: Literal; shape: Literal; fortran: boolean } => {
  const entries = literal.kind === 'dict' ? literal.entries : [];
  const fields = new Map(entries.map(([key, value]) => [key.kind === 'str' ? key.text : '', value]));
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((name) => fields.get(name));
  if (entries.length !== 3 || descr === undefined || shape === undefined || order?.kind !== 'bool') {
    throw invalid('header is not a dict of descr, fortran_order and shape', offset);
  }
  return { descr, shape, fortran: order.value };
};

const shapeOf = (literal: Literal, offset: number): readonly number[] => {
  const items = literal.kind === 'tuple' ? literal.items : undefined;
  if (items === undefined || items.length > MAX_DIMENSIONS) throw invalid('shape is no tuple of counts', offset);
  return items.map((item) => {
    if (item.kind !== 'int' || item.value < 0) throw invalid('shape is no tuple of counts', offset);
    return item.value;
  });
};

/** The element type of a `descr`: a type string, a list of fields, or a type and the shape of a subarray. */
const elementType = (descr: Literal, depth: number): ElementType | undefined => {
  if (depth > MAX_NESTING) return undefined;
  if (descr.kind === 'str') return elementTypeOf(descr.text);
  if (descr.kind === 'list') return structured(descr.items, depth);
  if (descr.kind !== 'tuple' || descr.items.length !== 2) return undefined;
  const [inner, shape] = descr.items;
  return inner === undefined ? undefined : subarray(elementType(inner, depth + 1), shape);
};

const subarray = (type: ElementType | undefined, shape: Literal | undefined): ElementType | undefined => {
  if (type === undefined || shape === undefined) return type;
  const sizes =
    shape.kind === 'int'
      ? [shape.value]
      : shape.kind === 'tuple'
        ? shape.items.map((item) => (item.kind === 'int' ? item.value : -1))
        : [-1];
  const count = sizes.some((size) => size < 0) ? undefined : elementsOf(sizes);
  return count === undefined ? undefined : { ...type, code: '', size: type.size * count };
};

const structured = (fields: readonly Literal[], depth: number): ElementType | undefined => {
  const parts: ElementType['fields'][number][] = [];
  let size = 0;
  for (const field of fields) {
    const [name, descr, shape] = field.kind === 'tuple' ? field.items : [];
    const named = name?.kind === 'tuple' ? name.items[1] : name;
    const type = descr === undefined ? undefined : subarray(elementType(descr, depth + 1), shape);
    if (named?.kind !== 'str' || type === undefined) return undefined;
    parts.push({ name: named.text, offset: size, type });
    size += type.size;
  }
  return { size, objects: parts.some(({ type }) => type.objects), code: '', byteOrder: 'little', fields: parts };
};

type Read = { readonly end: number; readonly content: Content; readonly whole: boolean; readonly header: NpyHeader };

/** Reads one array; the elements are only measured, or run when they are a pickle. */
const readArray = (source: RandomAccess, start: number, context: Context): Read => {
  context.budget.spend('steps', 1);
  const header = readNpyHeader(source, start);
  if (header.dataLength !== undefined) {
    checkRange(source.size, header.dataOffset, header.dataLength);
    return { end: header.dataOffset + header.dataLength, content: 'inert', whole: true, header };
  }
  const run = runPickle(source, header.dataOffset, { context });
  return { end: run.end, content: worseContent('data', run.content), whole: run.stopped, header };
};

const inspectNpy = (file: RandomAccess, context: Context): Inspection => {
  const source = windowed(file);
  const first = readArray(source, 0, context);
  let last = first;
  let { content } = first;
  let arrays = 1;
  while (last.whole && source.size - last.end >= MAGIC.length && isMagic(source.read(last.end, MAGIC.length))) {
    last = readArray(source, last.end, context);
    content = worseContent(content, last.content);
    arrays = within('npy.arrays', arrays + 1, MAX_ARRAYS);
  }
  const { type, shape } = first.header;
  const details = { arrays, dtype: type.code === '' ? 'structured' : type.code, shape, objects: type.objects };
  if (!last.whole) {
    return {
      format: 'npy',
      content,
      coverage: incomplete('partial', last.end, source.size, 'the pickle of the objects breaks'),
      details,
    };
  }
  if (last.end === source.size) {
    const planned = arrays === 1 ? planFile(first.header) : { notConvertible: 'it holds several arrays without names' };
    return { format: 'npy', content, coverage: complete(source.size), details, ...planned };
  }
  context.report({
    rule: 'npy.trailing',
    severity: 'medium',
    message: 'Bytes that are no array follow the last one.',
    offset: last.end,
    evidence: `${source.size - last.end} bytes`,
    refs: ['CWE-436'],
  });
  return {
    format: 'npy',
    content: worseContent(content, 'unknown'),
    coverage: incomplete('partial', last.end, source.size, 'bytes behind the last array mean nothing'),
    details,
  };
};

export const npy: Format = {
  name: 'npy',
  title: 'NumPy array',
  begins: [0x93],
  recognisedBy: 'the magic number \\x93NUMPY',
  checks:
    'The header is parsed by its own grammar, never evaluated; dtype and shape must give exactly the bytes that are there; arrays of ' +
    'objects are pickles and run on the abstract machine.',
  references: ['NEP 1', 'numpy/lib/_format_impl.py', 'CVE-2019-6446'],
  recognise: (head) => isMagic(head),
  inspect: inspectNpy,
};
