import type { Allowed } from './allowed/types.ts';

/**
 * What the abstract pickle machine computes with: what a stream would build, without building it. Every value that
 * can be shared or changed later is one object, so identity (memo, aliasing, cycles) is JavaScript identity.
 */
export type None = { readonly kind: 'none' };
export type Bool = { readonly kind: 'bool'; readonly value: boolean };
/** A number when it is a safe integer, a bigint otherwise. */
export type Int = { readonly kind: 'int'; readonly value: number | bigint };
export type Float = { readonly kind: 'float'; readonly value: number };
/**
 * `whole` is false when the text was too long to keep: then `text` is only its beginning. `place` says where the UTF-8 of
 * one that may be a file in itself stands in the source.
 */
export type Str = {
  readonly kind: 'str';
  readonly text: string;
  readonly whole: boolean;
  readonly place?: { readonly offset: number; readonly length: number };
};
/** Bytes stay in the source (`offset`, `length`); `literal` holds those that were written with escapes or made by a call. */
export type Bytes = {
  readonly kind: 'bytes';
  readonly offset: number;
  readonly length: number;
  readonly literal: Uint8Array | undefined;
  readonly mutable: boolean;
};
export type Tuple = { readonly kind: 'tuple'; readonly items: readonly Value[] };
/** A frozenset is a set here. */
export type Sequence = { readonly kind: 'list' | 'set'; readonly items: Value[] };
export type Entry = readonly [key: Value, value: Value];
/** Entries in the order they were set; a key that was set twice is there twice, and the later one counts. */
export type Dict = { readonly kind: 'dict'; readonly entries: Entry[] };
/**
 * An imported name, after Python 2 names were mapped as the loader maps them; one object for each name in a stream.
 * `offset` is that of the first opcode that imports it.
 */
export type Global = {
  readonly kind: 'global';
  readonly module: string;
  readonly name: string;
  readonly offset: number;
  /** What the allow-list says; undefined when the name is on no list. */
  readonly allowed: Allowed | undefined;
};
/**
 * The result of calling a global (REDUCE, INST, OBJ, NEWOBJ, NEWOBJ_EX), and what was done to it afterwards.
 * An OrderedDict is the Call of `collections.OrderedDict` with its `entries`; its `_metadata` stands in `states`.
 */
export type Call = {
  readonly kind: 'call';
  readonly callee: Global;
  readonly args: readonly Value[];
  /** Keyword arguments of NEWOBJ_EX. */
  readonly kwargs: readonly Entry[];
  /** States given by BUILD, in order. */
  readonly states: Value[];
  /** Items added by APPEND(S) and ADDITEMS. */
  readonly items: Value[];
  /** Entries set by SETITEM(S). */
  readonly entries: Entry[];
  readonly offset: number;
};
/** PERSID or BINPERSID, accepted by the container. */
export type Persistent = { readonly kind: 'persistent'; readonly id: Value; readonly offset: number };
/** Something that is not in the stream: an out-of-band buffer, an array outside the opcodes, the result of a refused call. */
export type Opaque = { readonly kind: 'opaque'; readonly what: string; readonly offset: number };

export type Value =
  | None
  | Bool
  | Int
  | Float
  | Str
  | Bytes
  | Tuple
  | Sequence
  | Dict
  | Global
  | Call
  | Persistent
  | Opaque;

export const NONE: None = { kind: 'none' };
export const TRUE: Bool = { kind: 'bool', value: true };
export const FALSE: Bool = { kind: 'bool', value: false };
export const EMPTY_TUPLE: Tuple = { kind: 'tuple', items: [] };

/** True when `value` is the global `module.name`. */
export const isGlobal = (value: Value | undefined, module: string, name: string): value is Global =>
  value?.kind === 'global' && value.module === module && value.name === name;

/** True when `value` was made by calling `module.name`. */
export const isCallOf = (value: Value | undefined, module: string, name: string): value is Call =>
  value?.kind === 'call' && isGlobal(value.callee, module, name);

/** The text of a whole string, otherwise undefined. */
export const textOf = (value: Value | undefined): string | undefined =>
  value?.kind === 'str' && value.whole ? value.text : undefined;

/** A non-negative safe integer, otherwise undefined (bool is not an integer here). */
export const countOf = (value: Value | undefined): number | undefined =>
  value?.kind === 'int' && typeof value.value === 'number' && value.value >= 0 ? value.value : undefined;

/** The items of a tuple or list (also of one made by calling a list-like class), otherwise undefined. */
export const itemsOf = (value: Value | undefined): readonly Value[] | undefined => {
  if (value === undefined) return undefined;
  return value.kind === 'tuple' || value.kind === 'list' || value.kind === 'set' ? value.items : undefined;
};

/** Classes whose instances are mappings that may be given their pairs by SETITEM(S) or as first argument. */
const MAPPINGS = new Set([
  'collections.OrderedDict',
  'collections.Counter',
  'collections.defaultdict',
  'builtins.dict',
]);

/** True for a dict, OrderedDict, Counter or defaultdict. */
export const isMapping = (value: Value | undefined): value is Dict | Call =>
  value?.kind === 'dict' || (value?.kind === 'call' && MAPPINGS.has(`${value.callee.module}.${value.callee.name}`));

/**
 * The entries of a dict, OrderedDict, Counter or defaultdict in order (those given as pairs to the constructor first),
 * otherwise undefined. A repeated key is there twice; the later value counts.
 */
export const entriesOf = (value: Value | undefined): readonly Entry[] | undefined => {
  if (!isMapping(value)) return undefined;
  if (value.kind === 'dict' || value.args.length === 0) return value.entries;
  const given = value.args[value.callee.name === 'defaultdict' ? 1 : 0];
  if (given === undefined) return value.entries;
  return [...(pairsOf(given) ?? []), ...value.entries];
};

const pairsOf = (value: Value): readonly Entry[] | undefined => {
  if (value.kind === 'dict') return value.entries;
  const pairs: Entry[] = [];
  for (const item of itemsOf(value) ?? []) {
    const [key, held, extra] = itemsOf(item) ?? [];
    if (key === undefined || held === undefined || extra !== undefined) return undefined;
    pairs.push([key, held]);
  }
  return pairs;
};

/** The value that a mapping holds under a text key (the last one set), otherwise undefined. */
export const lookup = (mapping: Value | undefined, key: string): Value | undefined =>
  entriesOf(mapping)?.findLast(([name]) => textOf(name) === key)?.[1];
