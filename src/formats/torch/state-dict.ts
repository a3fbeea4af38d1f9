import { type Plan, printable } from '../format.ts';
import { type Entry, entriesOf, isMapping, itemsOf, type Value } from '../pickle/values.ts';
import { readTensor, type TensorView } from './tensor.ts';

/** Values that are visited: a value that occurs twice is visited twice, so a small file can ask for very many. */
const VISIT_LIMIT = 2_000_000;
/** Containers in containers. */
const DEPTH_LIMIT = 64;
/** Left-out values that are listed. */
const DROPPED_LIMIT = 10_000;
/** Characters of the reason why there is no plan. */
const REASON_LIMIT = 1000;
/** Bytes of a tensor's name. */
const NAME_LIMIT = 1024;

/** What a checkpoint holds: tensors by the path to them, what is left out, and why it cannot be converted, when it cannot. */
export type StateDict = {
  readonly tensors: readonly { readonly name: string; readonly view: TensorView }[];
  readonly dropped: Plan['dropped'];
  readonly refused: string | undefined;
  /** True when there is no tensor of any kind. */
  readonly empty: boolean;
};

/**
 * Collects the tensors of a checkpoint. Names are the keys on the way to a tensor, joined by dots, as they are: nothing is
 * renamed, no prefix is taken off. Whatever holds no tensor is left out and listed; attributes of dicts (`_metadata`) are
 * not contents and are not listed.
 */
export const collectTensors = (root: Value): StateDict => {
  const tensors: { name: string; view: TensorView }[] = [];
  const dropped: { path: string; type: string }[] = [];
  const names = new Set<string>();
  const ancestors = new Set<Value>();
  let refused: string | undefined;
  let visits = 0;
  const refuse = (path: string, why: string) => {
    refused ??= printable(`${path === '' ? 'the file' : path.slice(0, 120)}: ${why}`, REASON_LIMIT);
  };

  /** True when a tensor (also one that cannot be written) was found in `value`. */
  const visit = (value: Value, path: string): boolean => {
    visits += 1;
    if (visits > VISIT_LIMIT || ancestors.size > DEPTH_LIMIT || ancestors.has(value)) {
      refuse(path, 'it is too deep, too large or contains itself');
      return false;
    }
    const reading = readTensor(value);
    if (reading !== undefined) {
      if ('refused' in reading) refuse(path, reading.refused);
      else add(path === '' ? 'tensor' : path, reading.view);
      return true;
    }
    ancestors.add(value);
    const found = isMapping(value) ? visitEntries(lastOfEach(entriesOf(value) ?? []), path) : visitOther(value, path);
    ancestors.delete(value);
    return found;
  };

  const add = (name: string, view: TensorView) => {
    if (names.has(name)) refuse(name, 'two tensors would have this name');
    if (name === '__metadata__' || name.length > NAME_LIMIT) refuse(name, 'safetensors cannot have this name');
    names.add(name);
    tensors.push({ name, view });
  };
  const drop = (path: string, value: Value) => {
    if (dropped.length < DROPPED_LIMIT) dropped.push({ path: path.slice(0, NAME_LIMIT), type: typeOf(value) });
    else if (dropped.length === DROPPED_LIMIT) dropped.push({ path: '...', type: 'more' });
  };
  /** Visits the parts; those without tensors are left out one by one, unless none has any. */
  const visitParts = (parts: readonly Part[], path: string): boolean => {
    const without: { path: string; value: Value }[] = [];
    let found = false;
    for (const part of parts) {
      const name = part.path ?? `${path}[?]`;
      const here = visit(part.value, name);
      if (here && part.path === undefined)
        refuse(path, `a tensor stands under a key that ${part.nameless ?? 'has no name'}`);
      found ||= here;
      if (!here) without.push({ path: name, value: part.value });
    }
    if (found || path === '') for (const part of without) drop(part.path, part.value);
    return found;
  };
  const visitEntries = (entries: readonly Entry[], path: string): boolean =>
    visitParts(
      entries.map(([key, value]) => {
        const text = keyText(key);
        return text === undefined
          ? { path: text, nameless: nameless(key), value }
          : { path: joined(path, text), value };
      }),
      path,
    );
  const visitOther = (value: Value, path: string): boolean => {
    const items = itemsOf(value);
    if (items !== undefined) {
      return visitParts(
        items.map((item, i) => ({ path: joined(path, String(i)), value: item })),
        path,
      );
    }
    if (value.kind !== 'call') return false;
    // An object of a class: its tensors have no names of their own.
    const before = tensors.length;
    const parts = [...value.args, ...value.states, ...value.items, ...value.entries.flat(), ...value.kwargs.flat()];
    let found = false;
    for (const part of parts) found = visit(part, joined(path, '(object)')) || found;
    tensors.length = before;
    if (found) refuse(path, `tensors are inside an object of ${typeOf(value)}`);
    return found;
  };

  const found = visit(root, '');
  return {
    tensors,
    dropped,
    refused: refused ?? (tensors.length === 0 ? 'it holds no tensors' : undefined),
    empty: !found && refused === undefined,
  };
};

const joined = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** What is found under a key or an index; `nameless` says why there is no path. */
type Part = { readonly path: string | undefined; readonly nameless?: string; readonly value: Value };

/** Why a key makes no name. */
const nameless = (key: Value): string => {
  if (key.kind !== 'str') return 'is neither text nor a number';
  return key.text === '' ? 'is empty' : 'is longer than names are kept';
};

const keyText = (key: Value): string | undefined => {
  if (key.kind === 'str' && key.whole && key.text !== '') return key.text;
  return key.kind === 'int' ? String(key.value) : undefined;
};

/** A key that was set twice holds what was set last, in the place where it first stood. */
const lastOfEach = (entries: readonly Entry[]): readonly Entry[] => {
  const last = new Map<unknown, Entry>();
  for (const entry of entries) last.set(keyText(entry[0]) ?? entry[0], entry);
  return [...last.values()];
};

const typeOf = (value: Value): string => {
  if (value.kind === 'call') return `${value.callee.module}.${value.callee.name}`.slice(0, 200);
  if (value.kind === 'global') return `${value.module}.${value.name}`.slice(0, 200);
  return value.kind;
};
