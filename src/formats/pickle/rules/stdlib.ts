import type { BuildRule, CallRule } from '../allowed/types.ts';
import { countOf, isCallOf, isGlobal, isMapping, itemsOf, textOf, type Value } from '../values.ts';
import { isConstant, plainState } from './general.ts';

/** Bytes that `bytes(n)` and `bytearray(n)` may make out of nothing. */
const MAX_MADE = 1024 * 1024;

/** `_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes. Other codecs of Python decompress or open things. */
export const encode: CallRule = ({ args }) => {
  const codec = textOf(args[1]);
  if (args.length === 0 || args.length > 2 || args[0]?.kind !== 'str') return 'it takes text and a codec';
  if (args.length === 1) return undefined;
  return codec !== undefined && /^(?:latin-?1|utf-?8|ascii)$/i.test(codec) ? undefined : 'its codec is none of text';
};

/** `list(items)`, `set(items)` and the like; the items stand in the stream. */
export const fromItems: CallRule = ({ args, kwargs }) =>
  kwargs.length === 0 && (args.length === 0 || (args.length === 1 && itemsOf(args[0]) !== undefined))
    ? undefined
    : 'it takes items of the stream';

/** `dict(…)`, `OrderedDict(…)`, `Counter(…)`: nothing, a mapping or pairs. */
export const fromPairs: CallRule = ({ args, kwargs }) => {
  const [first] = args;
  if (kwargs.length > 0 || args.length > 1) return 'it takes one mapping';
  return first === undefined || isMapping(first) || itemsOf(first) !== undefined
    ? undefined
    : 'it takes a mapping or pairs';
};

/** `bytes(…)` and `bytearray(…)`. */
export const fromBytes: CallRule = ({ args }) => {
  const [first, codec] = args;
  if (args.length > 2 || (codec !== undefined && textOf(codec) === undefined))
    return 'it takes bytes or text and a codec';
  if (first === undefined || first.kind === 'bytes' || first.kind === 'str') return undefined;
  if (isCallOf(first, '_codecs', 'encode')) return undefined;
  if (itemsOf(first) !== undefined) return undefined;
  return (countOf(first) ?? MAX_MADE) < MAX_MADE ? undefined : 'it makes too many bytes';
};

/** Classes that a defaultdict may call for a missing key. */
const FACTORIES = ['list', 'dict', 'set', 'int', 'float', 'str', 'bool', 'tuple', 'frozenset'];

const isFactory = (value: Value | undefined): boolean =>
  value === undefined ||
  value.kind === 'none' ||
  FACTORIES.some((name) => isGlobal(value, 'builtins', name)) ||
  isGlobal(value, 'collections', 'OrderedDict') ||
  isGlobal(value, 'collections', 'Counter');

/** `defaultdict(factory[, mapping])`: the factory is called later, so only builtin containers and numbers. */
export const defaultDict: CallRule = ({ args }) => {
  if (args.length > 2 || !isFactory(args[0])) return 'its factory is none of the builtin containers';
  return args[1] === undefined || isMapping(args[1]) ? undefined : 'it takes a mapping';
};

/** `deque(items[, length])`. */
export const deque: CallRule = ({ args }) => {
  const [items, most] = args;
  if (args.length > 2 || (items !== undefined && itemsOf(items) === undefined)) return 'it takes items of the stream';
  return most === undefined || most.kind === 'none' || countOf(most) !== undefined
    ? undefined
    : 'its length is no count';
};

/** Strings only: the parts of a path, the digits of a Decimal. */
export const stringsOnly: CallRule = ({ args }) =>
  args.every((arg) => textOf(arg) !== undefined) ? undefined : 'it takes only strings';

/** `datetime(bytes[, zone])` and its siblings: bytes of the stream, numbers, or a timezone that was made. */
export const dateTime: CallRule = ({ args }) =>
  args.length <= 9 && args.every((arg) => isConstant(arg) || arg.kind === 'call')
    ? undefined
    : 'it takes bytes or numbers';

/** `range` and `slice`: numbers. */
export const numbers: CallRule = ({ args }) =>
  args.length <= 3 && args.every((arg) => arg.kind === 'int' || arg.kind === 'none' || arg.kind === 'float')
    ? undefined
    : 'it takes numbers';

/** The helpers of `copyreg` are taken apart before rules are asked; what is left is not a class with base `object`. */
export const notUnwrapped: CallRule = () => 'it takes a class, and `object` as its base';

/** `getattr(Enumeration, 'MEMBER')`, how Python 3.11 pickles members; any other use finds functions by name. */
export const memberOf: CallRule = ({ args }) => {
  const [owner, name] = args;
  const member = textOf(name);
  if (args.length !== 2 || owner?.kind !== 'global' || owner.allowed?.members !== true)
    return 'it looks up a name on something that is no enumeration';
  return member !== undefined && /^[A-Z][A-Za-z0-9_]*$/.test(member)
    ? undefined
    : 'the name it looks up is not that of a member';
};

/** The state of a UUID. */
export const uuidState: BuildRule = (call, state, context) =>
  state.kind === 'dict' ? plainState(call, state, context) : 'the state is not a dict';
