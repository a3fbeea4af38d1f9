import type { BuildRule, CallRule } from '../allowed/types.ts';
import { type Entry, textOf, type Value } from '../values.ts';

/** Any arguments; that no function hides in them is checked for every call. */
export const anyArguments: CallRule = () => undefined;

/** No arguments: what NEWOBJ and the helpers of `copyreg` give to classes whose state comes with BUILD. */
export const noArguments: CallRule = ({ args, kwargs }) =>
  args.length === 0 && kwargs.length === 0 ? undefined : 'it takes no arguments in a pickle';

/** Any state; that no function hides in it is checked for every BUILD. For classes with a `__setstate__` of their own. */
export const anyState: BuildRule = () => undefined;

/**
 * A `__dict__`, or a pair of `__dict__` and slots (`load_build`). Dunder names are refused: `__setstate__`, `__class__`
 * and the like on an instance change what the next BUILD or the interpreter calls.
 */
export const plainState: BuildRule = (_, state) => {
  if (state.kind === 'none') return undefined;
  if (state.kind === 'dict') return attributeNames(state.entries);
  if (state.kind !== 'tuple' || state.items.length !== 2) return 'the state is not a dict';
  for (const half of state.items) {
    const refused =
      half.kind === 'dict'
        ? attributeNames(half.entries)
        : half.kind === 'none'
          ? undefined
          : 'the state is not a dict';
    if (refused !== undefined) return refused;
  }
  return undefined;
};

/** Attributes of this name are written by picklers of their own accord and mean nothing to the interpreter. */
const HARMLESS_DUNDERS = new Set([
  '__doc__',
  '__fields_set__',
  '__pydantic_fields_set__',
  '__pydantic_extra__',
  '__pydantic_private__',
  '__orig_class__',
]);

const attributeNames = (entries: readonly Entry[]): string | undefined => {
  for (const [key] of entries) {
    const name = textOf(key);
    if (name === undefined) return 'a name of an attribute is not a string';
    if (/^__.*__$/.test(name) && !HARMLESS_DUNDERS.has(name))
      return 'an attribute has a name that the interpreter uses';
  }
  return undefined;
};

/** True for a constant: none, bool, number, string or bytes. */
export const isConstant = (value: Value | undefined): boolean =>
  value !== undefined && ['none', 'bool', 'int', 'float', 'str', 'bytes'].includes(value.kind);

/** Only constants, at most `most` of them. */
export const constantsOnly =
  (most: number): CallRule =>
  ({ args, kwargs }) => {
    if (kwargs.length > 0) return 'it takes no keywords';
    if (args.length > most) return `it takes at most ${most} arguments`;
    return args.every(isConstant) ? undefined : 'it takes only constants';
  };
