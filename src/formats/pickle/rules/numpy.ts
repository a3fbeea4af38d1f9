import type { BuildRule, CallRule } from '../allowed/types.ts';
import { broken } from '../state.ts';
import { type Bytes, countOf, isCallOf, isGlobal, itemsOf, lookup, textOf, type Value } from '../values.ts';
import { plainState } from './general.ts';

/** Dimensions that numpy allows (NPY_MAXDIMS of numpy 2). */
const MAX_DIMENSIONS = 64;

/** Levels of structured types inside structured types. */
const MAX_NESTING = 8;

/** An element type, as far as the sizes of arrays depend on it. */
export type ElementType = {
  /** Bytes of one element. */
  readonly size: number;
  /** True when elements are Python objects, which are pickled one by one. */
  readonly objects: boolean;
  /** Kind and size without byte order: `i8`, `f4`, `U12`; empty for structured types. */
  readonly code: string;
  readonly byteOrder: 'little' | 'big';
  /** Fields of a structured type in order. */
  readonly fields: readonly { readonly name: string; readonly offset: number; readonly type: ElementType }[];
};

const CODE = /^([<>=|]?)(?:([biufcSaUVOmM])(\d{0,9})(\[[\w/ ]{1,32}\])?|([?bBhHiIlLqQefdgFDGO]))$/;
const SINGLE: Readonly<Record<string, string>> = {
  '?': 'b1',
  b: 'i1',
  B: 'u1',
  h: 'i2',
  H: 'u2',
  i: 'i4',
  I: 'u4',
  l: 'i8',
  L: 'u8',
  q: 'i8',
  Q: 'u8',
  e: 'f2',
  f: 'f4',
  d: 'f8',
  g: 'f16',
  F: 'c8',
  D: 'c16',
  G: 'c32',
  O: 'O8',
};

/** The element type that a numpy type string (`<f4`, `|S3`, `U12`, `M8[ns]`) names; undefined when it names none. */
export const elementTypeOf = (text: string): ElementType | undefined => {
  const match = CODE.exec(text);
  if (match === null) return undefined;
  const [, order = '', letter, digits, , single] = match;
  const plain =
    letter === undefined || (digits === '' && /[biufcmMO]/.test(letter))
      ? (SINGLE[single ?? letter ?? ''] ?? (letter === 'm' || letter === 'M' ? `${letter}8` : undefined))
      : `${letter}${digits}`;
  if (plain === undefined) return undefined;
  const kind = plain[0] ?? '';
  const count = Number(plain.slice(1));
  const size = kind === 'U' ? 4 * count : kind === 'O' ? 8 : count;
  return { size, objects: kind === 'O', code: plain, byteOrder: order === '>' ? 'big' : 'little', fields: [] };
};

/** The element type that a `numpy.dtype` call stands for, after its BUILD; undefined when it is not understood. */
export const dtypeOf = (value: Value | undefined, depth = 0): ElementType | undefined => {
  if (!isCallOf(value, 'numpy', 'dtype') || depth > MAX_NESTING) return undefined;
  const state = itemsOf(value.states.at(-1));
  const base = codeOf(value.args[0], state?.[5]);
  if (base === undefined || state === undefined) return base;
  const [, order, sub, names, fields, size] = state;
  // The state may state a size of its own, which numpy believes for strings and void.
  const stated = countOf(size);
  if (stated === undefined ? /^[SUVa]/.test(base.code) : stated !== base.size) return undefined;
  if (sub !== undefined && sub.kind !== 'none') {
    const type = subarray(sub, depth);
    return type?.size === base.size ? type : undefined;
  }
  if (names !== undefined && names.kind !== 'none') return structured(names, fields, base, depth);
  return { ...base, byteOrder: textOf(order) === '>' ? 'big' : 'little' };
};

/** `numpy.record` stands for void of the size that its state gives. */
const codeOf = (code: Value | undefined, size: Value | undefined): ElementType | undefined =>
  elementTypeOf(isGlobal(code, 'numpy', 'record') ? `V${countOf(size) ?? 0}` : (textOf(code) ?? ''));

const subarray = (value: Value, depth: number): ElementType | undefined => {
  const [inner, shape] = itemsOf(value) ?? [];
  const type = dtypeOf(inner, depth + 1);
  const count = shape?.kind === 'int' ? countOf(shape) : elementsOf(shapeOf(shape));
  return type === undefined || count === undefined ? undefined : { ...type, code: '', size: type.size * count };
};

const structured = (
  names: Value,
  fields: Value | undefined,
  base: ElementType,
  depth: number,
): ElementType | undefined => {
  const total = base.size;
  const entries = fields?.kind === 'dict' ? fields.entries : [];
  const parts: ElementType['fields'][number][] = [];
  for (const name of itemsOf(names) ?? []) {
    const held = itemsOf(entries.find(([key]) => textOf(key) === textOf(name))?.[1]);
    const type = dtypeOf(held?.[0], depth + 1);
    const offset = countOf(held?.[1]);
    if (type === undefined || offset === undefined || offset + type.size > total) return undefined;
    parts.push({ name: textOf(name) ?? '', offset, type });
  }
  return { size: total, objects: parts.some(({ type }) => type.objects), code: '', byteOrder: 'little', fields: parts };
};

/** A shape given as a tuple of counts; undefined when it is not one. */
export const shapeOf = (value: Value | undefined): readonly number[] | undefined => {
  const items = value?.kind === 'tuple' ? value.items : undefined;
  if (items === undefined || items.length > MAX_DIMENSIONS) return undefined;
  const shape = items.map(countOf);
  return shape.every((size) => size !== undefined) ? shape : undefined;
};

/** The elements of an array of this shape; undefined when they are more than can be counted. */
export const elementsOf = (shape: readonly number[] | undefined): number | undefined => {
  let count = 1;
  for (const size of shape ?? [Number.NaN]) count *= size;
  return Number.isSafeInteger(count) ? count : undefined;
};

/** True for bytes, or the strings of Python 2 and protocol 2 that stand for bytes. */
export const bytesLength = (value: Value | undefined): number | undefined => {
  if (value?.kind === 'bytes') return value.length;
  if (isCallOf(value, 'builtins', 'bytes') && value.args.length === 0) return 0;
  return byteText(value)?.length;
};

/** Bytes that protocols 0 to 2 write as text: a string of Python 2, or latin-1 text behind `_codecs.encode`. */
const byteText = (value: Value | undefined): string | undefined => {
  const text = textOf(isCallOf(value, '_codecs', 'encode') ? value.args[0] : value);
  return text !== undefined && /^[\x00-\xff]*$/.test(text) ? text : undefined;
};

/** An array as its pickle describes it. */
export type ArrayValue = {
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly fortran: boolean;
  readonly data: Value;
};

/** The array that a value stands for (`_reconstruct` and BUILD, or `_frombuffer`); undefined when it is none. */
export const arrayOf = (value: Value | undefined): ArrayValue | undefined => {
  if (value?.kind !== 'call') return undefined;
  if (value.callee.name === '_reconstruct') return stateArray(value.states.at(-1));
  if (value.callee.name !== '_frombuffer') return undefined;
  const [data, dtype, shape, order] = value.args;
  return makeArray(shape, dtype, textOf(order) === 'F', data);
};

const stateArray = (state: Value | undefined): ArrayValue | undefined => {
  const items = itemsOf(state) ?? [];
  const [shape, dtype, fortran, data] = items.length === 5 ? items.slice(1) : items;
  return makeArray(shape, dtype, fortran?.kind === 'bool' ? fortran.value : countOf(fortran) === 1, data);
};

const makeArray = (
  shape: Value | undefined,
  dtype: Value | undefined,
  fortran: boolean,
  data: Value | undefined,
): ArrayValue | undefined => {
  const type = dtypeOf(dtype);
  const sizes = shapeOf(shape);
  return type === undefined || sizes === undefined || data === undefined
    ? undefined
    : { shape: sizes, type, fortran, data };
};

/** Why the data of an array does not fit its shape and type; numpy trusts some of this. */
const wrongData = ({ shape, type, data }: ArrayValue): string | undefined => {
  const count = elementsOf(shape);
  if (count === undefined) return 'its shape is too large';
  if (type.objects) {
    if (data.kind !== 'list') return 'an array of objects has no list of them';
    return data.items.length === count * Math.max(1, type.fields.length) || data.items.length === count
      ? undefined
      : 'an array of objects has another number of them';
  }
  const length = bytesLength(data);
  if (length === undefined)
    return isCallOf(data, '_codecs', 'encode') || data.kind === 'opaque'
      ? undefined
      : 'the data of an array are not bytes';
  return length === count * type.size ? undefined : 'the data of an array have another length than its shape and type';
};

/** Array classes that `_reconstruct` may make: any other class would be called through its `__new__`. */
const ARRAY_CLASSES = ['ndarray', 'matrix', 'recarray'];
const isArrayClass = (value: Value | undefined): boolean =>
  ARRAY_CLASSES.some((name) => isGlobal(value, 'numpy', name)) || isGlobal(value, 'numpy.ma', 'MaskedArray');

/** `_reconstruct(numpy.ndarray, (0,), b'b')` (numpy/_core/src/multiarray/methods.c, array_reduce). */
export const reconstruct: CallRule = ({ args }) => {
  const [type, shape, code] = args;
  if (args.length !== 3 || !isArrayClass(type)) return 'it makes only numpy arrays';
  // The memory is taken before the state says what belongs there, and is not cleared.
  if ((elementsOf(shapeOf(shape)) ?? MAX_DIMENSIONS) > 1) return 'it makes an array of more than its state holds';
  return bytesLength(code) === 1 || isCallOf(code, '_codecs', 'encode') ? undefined : 'its type code is not one byte';
};

/** `_mareconstruct(MaskedArray, numpy.ndarray, (0,), b'b')` (numpy/ma/core.py). */
export const reconstructMasked: CallRule = ({ args }) => {
  const [type, base, shape, code] = args;
  const masked = isGlobal(type, 'numpy.ma', 'MaskedArray') || isGlobal(type, 'numpy.ma.core', 'MaskedArray');
  if (args.length !== 4 || !masked || !isGlobal(base, 'numpy', 'ndarray')) return 'it makes only masked numpy arrays';
  if ((elementsOf(shapeOf(shape)) ?? MAX_DIMENSIONS) > 1) return 'it makes an array of more than its state holds';
  return bytesLength(code) === 1 || isCallOf(code, '_codecs', 'encode') ? undefined : 'its type code is not one byte';
};

/** The state of a masked array: (version, shape, dtype, fortran, data, mask, fill value). */
export const maskedState: BuildRule = (call, state, { frozen }) => {
  const items = itemsOf(state) ?? [];
  if (call.states.length > 1 || items.length !== 7) return 'the state is not that of a masked array';
  const [, shape, dtype, fortran, data, mask] = items;
  for (const item of items) frozen.add(item);
  const array = makeArray(shape, dtype, fortran?.kind === 'bool' && fortran.value, data);
  if (array === undefined) return 'the state is not that of a masked array';
  const bits = array.type.fields.length === 0 ? elementsOf(array.shape) : bytesLength(mask);
  return bytesLength(mask) === bits || isCallOf(mask, '_codecs', 'encode')
    ? wrongData(array)
    : 'the mask of an array has another length than its shape';
};

/** True when a value cannot be a dtype, whatever runs. */
const isNoDtype = (value: Value | undefined): boolean => {
  if (value === undefined || value.kind === 'opaque' || value.kind === 'persistent') return false;
  if (value.kind === 'global') return value.allowed !== undefined;
  if (value.kind !== 'call') return true;
  const { allowed, module } = value.callee;
  return allowed?.build !== undefined && module !== 'numpy' && !module.startsWith('numpy.');
};

/**
 * The state of an array: (version, shape, dtype, fortran, data) or without the version. Readers that do not know joblib
 * take the pickle of an array of objects for their own, with the wrong memo: the dtype is anything then. Where it is none,
 * `__setstate__` raises and loading ends (array_setstate, numpy/_core/src/multiarray/methods.c); what an unknown name made
 * was a finding when the name was imported.
 */
export const arrayState: BuildRule = (call, state, { frozen }) => {
  if (call.states.length > 1) return 'an array gets its state twice';
  const items = itemsOf(state) ?? [];
  for (const item of items) frozen.add(item);
  const type = items.length === 4 || items.length === 5 ? items.at(-3) : undefined;
  if (isNoDtype(type)) broken('the type in the state of an array is none: numpy raises');
  if (type?.kind === 'call' && type.callee.allowed === undefined) return undefined;
  const array = stateArray(state);
  return array === undefined ? 'the state is not that of an array' : wrongData(array);
};

/** `numpy.dtype(code, align, copy)`. */
export const dtype: CallRule = ({ args, kwargs }) => {
  const [code, ...flags] = args;
  if (kwargs.length > 0 || flags.length > 2) return 'it takes a type code and two flags';
  if (flags.some(({ kind }) => kind !== 'bool' && kind !== 'int')) return 'its flags are not booleans';
  return codeOf(code, undefined) === undefined ? 'its type code is none of numpy' : undefined;
};

/** The state of a dtype: (version, order, subtype, names, fields, size, alignment, flags[, metadata]). */
export const dtypeState: BuildRule = (call, state, { frozen }) => {
  if (frozen.has(call) || call.states.length > 1) return 'a dtype changes after something was made of it';
  const items = itemsOf(state);
  if (items === undefined || items.length < 8 || items.length > 9) return 'the state is not that of a dtype';
  const [, order, sub, _names, fields] = items;
  freezeParts(sub, fields, frozen);
  if (!['<', '>', '=', '|'].includes(textOf(order) ?? '')) return 'the byte order of a dtype is none';
  return dtypeOf(call) === undefined ? 'the size of a dtype is not that of its code or fields' : undefined;
};

/** The types of fields and subarrays are shared with the type that holds them. */
const freezeParts = (sub: Value | undefined, fields: Value | undefined, frozen: Set<Value>): void => {
  for (const item of itemsOf(sub) ?? []) frozen.add(item);
  if (fields?.kind !== 'dict') return;
  for (const [, field] of fields.entries) for (const item of itemsOf(field) ?? []) frozen.add(item);
};

/** The state of joblib's NumpyArrayWrapper: an array is made of its dtype as soon as it is set. */
export const wrapperState: BuildRule = (call, state, context) => {
  if (call.states.length > 1) return 'an array gets its state twice';
  const dtype = lookup(state, 'dtype');
  if (dtype !== undefined) context.frozen.add(dtype);
  return plainState(call, state, context);
};

/** `scalar(dtype, bytes)`; an object here would be whatever stands in its place. */
export const scalar: CallRule = ({ args }, { frozen }) => {
  if (args[0] !== undefined) frozen.add(args[0]);
  const type = dtypeOf(args[0]);
  if (type === undefined || type.objects || args.length !== 2) return 'it takes a dtype without objects, and bytes';
  const length = bytesLength(args[1]);
  if (length === undefined) return isCallOf(args[1], '_codecs', 'encode') ? undefined : 'its value is not bytes';
  return length === type.size ? undefined : 'its bytes are not as many as its type has';
};

/** `_frombuffer(buffer, dtype, shape, order)` of protocol 5. */
export const fromBuffer: CallRule = (call, { frozen }) => {
  for (const arg of call.args) frozen.add(arg);
  const array = arrayOf(call);
  if (array === undefined || array.type.objects) return 'it takes a buffer, a dtype without objects and a shape';
  return wrongData(array);
};

/** The bytes of an array's data, when they are in the file; undefined otherwise. */
export const arrayBytes = (array: ArrayValue, bytes: (value: Bytes) => Uint8Array): Uint8Array | undefined => {
  if (array.data.kind === 'bytes') return bytes(array.data);
  const text = byteText(array.data);
  return text === undefined ? undefined : Uint8Array.from(text, (letter) => letter.charCodeAt(0));
};

/** Bit generators of numpy.random by name. */
const BIT_GENERATORS = new Set(['MT19937', 'PCG64', 'PCG64DXSM', 'Philox', 'SFC64']);

/** `__randomstate_ctor` and its like: a name or class of a bit generator, or one that was made, and the helper. */
export const randomConstructor: CallRule = ({ args }) => {
  if (args.length > 2) return 'it takes a bit generator and its constructor';
  return args.every(isRandomArgument) ? undefined : 'it takes a bit generator of numpy';
};

const isRandomArgument = (value: Value): boolean => {
  if (value.kind === 'str') return BIT_GENERATORS.has(value.text);
  if (value.kind === 'global') return value.module.startsWith('numpy.random.') && value.allowed !== undefined;
  return value.kind === 'call' && value.callee.module === 'numpy.random._pickle';
};
