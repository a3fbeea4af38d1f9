import type { Context, Part } from '../format.ts';
import { printable } from '../format.ts';
import { cutsOf } from '../torch/cuts.ts';
import { type Call, countOf, type Entry, textOf, type Value } from './values.ts';

/** Parts that one index may name, and the files in which they lie; a run on a thousand ranks has some hundred thousand. */
const PARTS = 1_000_000;
const FILES = 4096;

/** Modules that have had `_StorageInfo`. */
const STORAGE_INFO = new Set([
  'torch.distributed.checkpoint.filesystem',
  'torch.distributed._shard.checkpoint.filesystem',
]);
const FIELDS = new Set(['relative_path', 'offset', 'length', 'transform_descriptors']);

/** A name of a file in the folder, and nothing of a path, a drive, a stream or a pattern. */
const FILE = /^(?!\.{1,2}$)[^\\/:*?"<>|\x00-\x1f]{1,255}$/;
/** A path that leads out of the folder, on some system. */
const OUTSIDE = /^[\\/~]|^[A-Za-z]:|(?:^|[\\/])\.\.(?:[\\/]|$)|^[a-z][a-z0-9+.-]*:\/\//;

/** The attribute in which the loader looks. Objects that look attributes up in a dict of theirs keep it so far below. */
const STORAGE_DATA = 'storage_data';
const DEPTH = 3;

type Slice = { readonly offset: number; readonly length: number };

/**
 * The files of which the loader of a distributed checkpoint unpickles parts, when the stream loads its index
 * (torch/distributed/checkpoint/filesystem.py, `FileSystemReader`). Undefined when it loads anything else.
 *
 * The loader takes `storage_data` from whatever object the file holds, and hands each part that it names to `torch.load`
 * without restriction: an index that points into the numbers of a tensor, or into a text, runs what is hidden there, though
 * each file is harmless by itself. So the index alone is never proof; it passes where the files lie beside it and are cut
 * into judged checkpoints in exactly the places that it names.
 */
export const partsNamedBy = (value: Value | undefined, context: Context): readonly Part[] | undefined => {
  if (value?.kind !== 'call') return undefined;
  const held = value.states.flatMap(attributesOf).filter(([key]) => textOf(key) === STORAGE_DATA);
  const [first, ...more] = held;
  const refuse = (why: string): readonly Part[] => {
    const message = `the parts of files that the index names are unclear: ${why}`;
    report(context, value, { rule: 'checkpoint-index.unclear', severity: 'medium', message });
    return [];
  };
  if (first === undefined) return isNamedBelow(value, DEPTH) ? refuse('an object of another kind has them') : undefined;
  if (more.length > 0) return refuse('it has two lists of them');
  if (first[1].kind === 'none') return undefined;
  const storage = first[1];
  if (storage.kind !== 'dict') return refuse('they are not a dict');
  if (storage.entries.length > PARTS) return refuse('they are too many');
  const files = new Map<string, Slice[]>();
  for (const [, entry] of storage.entries) {
    const found = sliceOf(entry);
    if (found === undefined) return refuse('one is not what torch writes');
    const own = files.get(found.name);
    if (own === undefined) files.set(found.name, [found]);
    else own.push(found);
  }
  const outside = [...files.keys()].find((name) => OUTSIDE.test(name));
  if (outside !== undefined)
    report(context, value, {
      rule: 'checkpoint-index.outside',
      severity: 'high',
      message: 'the index has its loader unpickle a file outside of its folder',
      evidence: outside,
    });
  if (files.size > FILES || [...files.keys()].some((name) => !FILE.test(name))) return refuse('names of files');
  const parts = [...files].map(([name, slices]) => partOf(name, slices));
  const whole = parts.filter((part) => part !== undefined);
  if (whole.length < parts.length) return refuse('they leave gaps or overlap');
  const message = `the index has its loader unpickle parts of ${whole.length} file(s) beside it, and passes only with them`;
  const evidence = whole[0]?.name ?? '';
  report(context, value, { rule: 'checkpoint-index.parts', severity: 'info', message, evidence });
  return whole;
};

type Told = Pick<Parameters<Context['report']>[0], 'rule' | 'severity' | 'message' | 'evidence'>;

const report = (context: Context, { offset }: Call, { evidence = '', ...told }: Told): void =>
  context.report({
    ...told,
    offset,
    evidence: printable(evidence),
    refs: told.severity === 'high' ? ['CWE-22', 'CWE-502'] : ['CWE-502'],
  });

/** Attributes that a state sets, in `__dict__` or in slots. */
const attributesOf = (state: Value): readonly Entry[] =>
  state.kind === 'dict' ? state.entries : state.kind === 'tuple' ? state.items.flatMap(attributesOf) : [];

/** True when a key of the object, or of what it is made of, is the name under which the loader looks. */
const isNamedBelow = (value: Value, depth: number): boolean => {
  if (depth === 0) return false;
  if (value.kind === 'tuple') return value.items.some((item) => isNamedBelow(item, depth - 1));
  const entries = value.kind === 'dict' || value.kind === 'call' ? value.entries : [];
  const states = value.kind === 'call' ? value.states : [];
  return (
    entries.some(([key, held]) => textOf(key) === STORAGE_DATA || isNamedBelow(held, depth - 1)) ||
    states.some((state) => isNamedBelow(state, depth))
  );
};

/** What one `_StorageInfo` says, if it is exactly as torch writes it. */
const sliceOf = (value: Value): (Slice & { readonly name: string }) | undefined => {
  if (value.kind !== 'call' || value.callee.name !== '_StorageInfo' || !STORAGE_INFO.has(value.callee.module))
    return undefined;
  const [state, ...more] = value.states;
  if (state?.kind !== 'dict' || more.length > 0) return undefined;
  const fields = new Map<string, Value>();
  for (const [key, held] of state.entries) {
    const name = textOf(key);
    if (name === undefined || !FIELDS.has(name) || fields.has(name)) return undefined;
    fields.set(name, held);
  }
  const name = textOf(fields.get('relative_path'));
  const offset = countOf(fields.get('offset'));
  const length = countOf(fields.get('length'));
  // What a transformed part holds is known only after its transformations, which a loader chooses by name.
  const transformed = (fields.get('transform_descriptors')?.kind ?? 'none') !== 'none';
  if (name === undefined || offset === undefined || length === undefined || transformed) return undefined;
  return { name, offset, length };
};

/** The whole file, when the slices follow each other from its first byte to its last. */
const partOf = (name: string, slices: readonly Slice[]): Part | undefined => {
  const ends: number[] = [];
  let at = 0;
  for (const { offset, length } of [...slices].sort((a, b) => a.offset - b.offset || a.length - b.length)) {
    if (offset !== at || length === 0) return undefined;
    at = offset + length;
    if (!Number.isSafeInteger(at)) return undefined;
    ends.push(at);
  }
  return { name, size: at, count: ends.length, cuts: cutsOf(ends) };
};
