import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Content, Context } from '../format.ts';
import { allowedName } from './allowed.ts';
import { runPickle } from './machine.ts';
import type { OutsideValue, PickleOptions } from './options.ts';
import { dtypeOf, elementsOf, shapeOf } from './rules/numpy.ts';
import { type Call, countOf, type Global, isCallOf, isGlobal, lookup, textOf, type Value } from './values.ts';

/** Bytes at the head of a file in which joblib's wrapper class is looked for, to name the format. */
const NAMED_WITHIN = 64 * 1024;

/** joblib, and the copy of it in older releases of scikit-learn. */
const WRAPPERS = ['joblib.numpy_pickle', 'sklearn.externals.joblib.numpy_pickle'];

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
): { readonly read: NonNullable<PickleOptions['outside']>; readonly first: () => number | undefined } => {
  let first: number | undefined;
  const read: PickleOptions['outside'] = (built, position) => {
    if (!WRAPPERS.some((module) => isCallOf(built, module, 'NumpyArrayWrapper'))) return undefined;
    first ??= position;
    return readArray(source, context, built, position);
  };
  return { read, first: () => first };
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
  return { value: asArray(shape, dtype, textOf(lookup(state, 'order')) === 'F', start, length), end: start + length };
};

/** Bytes of the padding, its own length byte included; none in files of joblib before 1.2. */
const paddingAt = (source: RandomAccess, state: Value | undefined, position: number): number => {
  const alignment = lookup(state, 'numpy_array_alignment_bytes');
  if (alignment === undefined || alignment.kind === 'none') return 0;
  const most = countOf(alignment);
  if (most === undefined) throw invalid('alignment is no number', position);
  const [length = 0] = source.read(position, 1);
  if (length > most) throw invalid('padding is longer than the alignment', position);
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

/**
 * `pickle.load` does not know joblib and would go on reading at the first array: then array bytes are opcodes. Runs the
 * stream that way too and reports what it would do there; padding as joblib writes it since 1.2 stops it at once.
 */
export const readAsOpcodes = (source: RandomAccess, context: Context, firstArray: number): Content => {
  let acts: Finding | undefined;
  const report = (finding: Finding): void => {
    const severe = finding.severity === 'high' || finding.severity === 'critical';
    if (finding.offset >= firstArray && severe) acts ??= finding;
  };
  runPickle(source, 0, { context: { ...context, report } });
  if (acts === undefined) return 'inert';
  context.report({
    rule: 'joblib.array-runs',
    severity: 'critical',
    message: 'The bytes of an array run as a pickle in loaders that do not know joblib.',
    offset: acts.offset,
    evidence: acts.evidence ?? '',
    refs: ['CWE-436', 'CWE-502'],
  });
  return 'active';
};

type Finding = Parameters<Context['report']>[0];

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
