import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Context } from '../format.ts';
import { allowedName } from './allowed.ts';
import { runPickle } from './machine.ts';
import { OPCODE_NAMES } from './opcodes.ts';
import type { OutsideValue, PickleOptions } from './options.ts';
import { dtypeOf, elementsOf, shapeOf } from './rules/numpy.ts';
import { looksLikePickle } from './trial.ts';
import { type Call, countOf, type Global, isCallOf, isGlobal, lookup, textOf, type Value } from './values.ts';

/** Bytes at the head of a file in which joblib's wrapper class is looked for, to name the format. */
const NAMED_WITHIN = 64 * 1024;

const MARKER = [...'NumpyArrayWrapper'].map((letter) => letter.charCodeAt(0));

/** True when the head of the file names joblib's array wrapper. Only the name of the format depends on it. */
export const isArrayWrapper = (source: RandomAccess): boolean => {
  const head = source.read(0, Math.min(source.size, NAMED_WITHIN));
  for (let at = head.indexOf(MARKER[0] ?? 0); at >= 0; at = head.indexOf(MARKER[0] ?? 0, at + 1)) {
    if (MARKER.every((byte, index) => head[at + index] === byte)) return true;
  }
  return false;
};

/** Reads the arrays that joblib writes between the opcodes of a stream (joblib/numpy_pickle.py, NumpyArrayWrapper). */
export const joblibArrays = (
  source: RandomAccess,
  context: Context,
): { readonly read: NonNullable<PickleOptions['outside']>; readonly count: () => number } => {
  let count = 0;
  const read: PickleOptions['outside'] = (built, position) => {
    if (!isCallOf(built, 'joblib.numpy_pickle', 'NumpyArrayWrapper')) return undefined;
    count += 1;
    return readArray(source, context, built, position);
  };
  return { read, count: () => count };
};

const invalid = (message: string, offset: number): WeighbridgeError =>
  new WeighbridgeError('FORMAT_INVALID', `joblib array: ${message}`, { offset });

const readArray = (source: RandomAccess, context: Context, wrapper: Call, position: number): OutsideValue => {
  const state = wrapper.states.at(-1);
  const shape = lookup(state, 'shape');
  const dtype = lookup(state, 'dtype');
  const type = dtypeOf(dtype);
  const elements = elementsOf(shapeOf(shape));
  const subclass = lookup(state, 'subclass');
  if (shape === undefined || dtype === undefined || type === undefined || elements === undefined)
    throw invalid('no shape or dtype', position);
  if (!['ndarray', 'matrix', 'memmap'].some((name) => isGlobal(subclass, 'numpy', name)))
    throw invalid('class is none of numpy', position);
  if (type.objects) return readObjects(source, context, position);
  const start = position + paddingAt(source, state, position);
  const length = elements * type.size;
  checkRange(source.size, start, length);
  readAsOpcodes(source, context, position);
  return { value: asArray(shape, dtype, textOf(lookup(state, 'order')) === 'F', start, length), end: start + length };
};

/** Bytes of the padding, its own length byte included; none in files of joblib before 1.2. */
const paddingAt = (source: RandomAccess, state: Value | undefined, position: number): number => {
  const alignment = lookup(state, 'numpy_array_alignment_bytes');
  if (alignment === undefined || alignment.kind === 'none') return 0;
  if (countOf(alignment) === undefined) throw invalid('alignment is no number', position);
  const [length = 0] = source.read(position, 1);
  const padding = source.read(position + 1, length);
  if (!padding.every((byte) => byte === 0xff)) throw invalid('padding is not blank', position);
  return 1 + length;
};

/** An array of objects is a pickle of its own between the opcodes. */
const readObjects = (source: RandomAccess, context: Context, position: number): OutsideValue => {
  const run = runPickle(source, position, { context });
  if (run.value === undefined) throw invalid('the pickle of its objects breaks', position);
  return { value: run.value, end: run.end, content: run.content };
};

/** `pickle.load`, which does not know joblib, would go on here: then array bytes are opcodes. */
const readAsOpcodes = (source: RandomAccess, context: Context, position: number): void => {
  const [first = 0] = source.read(position, 1);
  if (OPCODE_NAMES[first] === undefined || !looksLikePickle(source, position, source.size)) return;
  context.report({
    rule: 'joblib.array-runs',
    severity: 'high',
    message: 'The bytes of an array run as a pickle in loaders that do not know joblib.',
    offset: position,
    refs: ['CWE-436', 'CWE-502'],
  });
};

/** The array as numpy itself would have pickled it, so that rules see one form. */
const asArray = (shape: Value, dtype: Value, fortran: boolean, offset: number, length: number): Call => {
  const name = '_reconstruct';
  const module = 'numpy.core.multiarray';
  const callee: Global = { kind: 'global', module, name, offset, allowed: allowedName(module, name) };
  const state: Value = {
    kind: 'tuple',
    items: [
      { kind: 'int', value: 1 },
      shape,
      dtype,
      { kind: 'bool', value: fortran },
      { kind: 'bytes', offset, length, literal: undefined, mutable: false },
    ],
  };
  return { kind: 'call', callee, args: [], kwargs: [], states: [state], items: [], entries: [], offset };
};
