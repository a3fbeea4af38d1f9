import type { BuildRule, CallRule } from '../allowed/types.ts';
import { countOf, entriesOf, isCallOf, isGlobal, isMapping, itemsOf, textOf, type Value } from '../values.ts';
import { isConstant } from './general.ts';

/** Dimensions of a tensor (torch has no limit of its own; DLPack and numpy stop at 64). */
const MAX_DIMENSIONS = 64;

const REBUILDERS = new Set([
  '_rebuild_tensor',
  '_rebuild_tensor_v2',
  '_rebuild_tensor_v3',
  '_rebuild_parameter',
  '_rebuild_parameter_with_state',
  '_rebuild_qtensor',
  '_rebuild_sparse_tensor',
  '_rebuild_meta_tensor_no_storage',
  '_rebuild_wrapper_subclass',
  '_rebuild_device_tensor_from_numpy',
  '_rebuild_device_tensor_from_cpu_tensor',
]);

/** Tuple (or torch.Size) of counts. */
const countsOf = (value: Value | undefined): readonly number[] | undefined => {
  const items = itemsOf(isCallOf(value, 'torch', 'Size') ? value.args[0] : value);
  if (items === undefined || items.length > MAX_DIMENSIONS) return undefined;
  const counts = items.map(countOf);
  return counts.every((count) => count !== undefined) ? counts : undefined;
};

const isStorage = (value: Value | undefined): boolean =>
  value?.kind === 'persistent' || isCallOf(value, 'torch.storage', '_load_from_bytes');

/** Elements of the storage, where its persistent id says: ('storage', type, key, location, elements). */
const capacityOf = (storage: Value | undefined): number | undefined =>
  storage?.kind === 'persistent' ? countOf(itemsOf(storage.id)?.[4]) : undefined;

/**
 * Why a view does not lie inside its storage. torch checks this only in newer versions (CVE-2026-24747 is memory
 * corruption through it).
 */
const wrongView = (args: readonly Value[]): string | undefined => {
  const [storage, offsetValue, sizeValue, strideValue] = args;
  const offset = countOf(offsetValue);
  const size = countsOf(sizeValue);
  const stride = countsOf(strideValue);
  if (!isStorage(storage)) return 'its storage is not a persistent id';
  if (offset === undefined || size === undefined || stride === undefined) return 'offset, size or stride is no count';
  if (size.length !== stride.length) return 'size and stride have different lengths';
  if (size.includes(0)) return undefined;
  const last = size.reduce((sum, count, axis) => sum + (count - 1) * (stride[axis] ?? 0), offset);
  const capacity = capacityOf(storage);
  if (!Number.isSafeInteger(last)) return 'the tensor is too large';
  return capacity !== undefined && last >= capacity ? 'the tensor reaches beyond its storage' : undefined;
};

const isFlag = (value: Value | undefined): boolean => value?.kind === 'bool' || value?.kind === 'int';

/** Hooks are functions that run in the backward pass; a file may only say that there are none. */
const noHooks = (value: Value | undefined): boolean =>
  value?.kind === 'none' || (isMapping(value) && entriesOf(value)?.length === 0);

const isMetadata = (value: Value | undefined): boolean =>
  value === undefined || value.kind === 'none' || isMapping(value);

/** `_rebuild_tensor(storage, offset, size, stride)` and `_v2`, which adds requires_grad, hooks and metadata. */
export const rebuildTensor: CallRule = ({ args }) => {
  const [, , , , grad, hooks, metadata] = args;
  if (args.length !== 4 && args.length !== 6 && args.length !== 7) return 'it has another number of arguments';
  if (args.length > 4 && (!isFlag(grad) || !noHooks(hooks) || !isMetadata(metadata))) return 'it is given hooks';
  return wrongView(args);
};

/** `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])` over an untyped storage. */
export const rebuildTensorV3: CallRule = ({ args }) => {
  const [, , , , grad, hooks, dtype, metadata] = args;
  if (args.length < 7 || args.length > 8) return 'it has another number of arguments';
  if (!isFlag(grad) || !noHooks(hooks) || !isMetadata(metadata)) return 'it is given hooks';
  if (dtype?.kind !== 'global' || dtype.module !== 'torch') return 'its dtype is not one of torch';
  return wrongView(args);
};

/** `_rebuild_qtensor(storage, offset, size, stride, quantizer, requires_grad, hooks)`. */
export const rebuildQuantized: CallRule = ({ args }) => {
  const [, , , , quantizer, grad, hooks] = args;
  if (args.length !== 7 || !isFlag(grad) || !noHooks(hooks)) return 'it has another number of arguments, or hooks';
  return quantizer?.kind === 'tuple' ? wrongView(args) : 'its quantizer is not a tuple';
};

const isTensor = (value: Value | undefined): boolean =>
  value?.kind === 'call' && (REBUILDERS.has(value.callee.name) || value.callee.name === '_rebuild_from_type_v2');

/** `_rebuild_parameter(tensor, requires_grad, hooks)`, with a state in `_with_state`. */
export const rebuildParameter: CallRule = ({ args }) => {
  const [tensor, grad, hooks, state] = args;
  if (args.length < 3 || args.length > 4 || !isTensor(tensor) || !isFlag(grad)) return 'it takes a tensor';
  if (!noHooks(hooks)) return 'it is given hooks';
  return state === undefined || state.kind === 'dict' || state.kind === 'none' || state.kind === 'tuple'
    ? undefined
    : 'its state is not a dict';
};

/** Dunder names in the state of a tensor would replace what the interpreter calls. */
const isPlainTensorState = (state: Value | undefined): boolean => {
  if (state === undefined || state.kind === 'none') return true;
  const dicts = state.kind === 'tuple' ? state.items : [state];
  return dicts.every(
    (dict) =>
      dict.kind === 'none' ||
      (isMapping(dict) && (entriesOf(dict) ?? []).every(([key]) => !/^__.*__$/.test(textOf(key) ?? '__'))),
  );
};

/** `_rebuild_from_type_v2(func, type, args, state)` calls its first argument, so that must be a rebuild function itself. */
export const rebuildFromType: CallRule = (call, context) => {
  const [func, type, args, state] = call.args;
  if (call.args.length === 4 && isGlobal(func, NESTED, '_rebuild_njt')) return rebuildNested(call, context);
  if (
    call.args.length !== 4 ||
    func?.kind !== 'global' ||
    func.module !== 'torch._utils' ||
    !REBUILDERS.has(func.name)
  ) {
    return 'the function that it calls is none that rebuilds tensors';
  }
  if (!isGlobal(type, 'torch', 'Tensor') && !isGlobal(type, 'torch.nn.parameter', 'Parameter'))
    return 'its type is no tensor';
  if (args?.kind !== 'tuple') return 'the arguments that it hands on are not a tuple';
  if (!isPlainTensorState(state)) return 'its state is not a plain dict';
  return func.allowed?.call?.({ ...call, callee: func, args: args.items }, context);
};

const NESTED = 'torch.nested._internal.nested_tensor';

/** A jagged nested tensor is made of the parts of one, handed on as they are: only those, and each of its kind. */
const rebuildNested: CallRule = (call) => {
  const [, type, args, state] = call.args;
  if (!isGlobal(type, NESTED, 'NestedTensor')) return 'its type is no nested tensor';
  if (!isPlainTensorState(state)) return 'its state is not a plain dict';
  const parts = itemsOf(args);
  return parts?.length === 1 ? wrongParts(parts[0]) : 'it takes the parts of a nested tensor';
};

/** `_rebuild_njt` and `NestedTensor` are called by `_rebuild_from_type_v2` only. */
export const throughType: CallRule = () => 'it is called without the function that hands it the parts';

/** The keywords of `NestedTensor.__init__` and what `__reduce_ex__` writes for each. */
const PARTS = new Map<string, (value: Value) => boolean>([
  ['values', isTensor],
  ['offsets', isTensor],
  ['lengths', (value) => value.kind === 'none' || isTensor(value)],
  ['_ragged_idx', (value) => countOf(value) !== undefined],
  ['requires_grad', isFlag],
  [
    '_metadata_cache',
    (value) =>
      value.kind === 'none' ||
      (value.kind === 'dict' &&
        value.entries.every(([key, held]) => /^m(?:ax|in)_seqlen$/.test(textOf(key) ?? '') && isTensor(held))),
  ],
]);

const wrongParts = (parts: Value | undefined): string | undefined => {
  if (parts?.kind !== 'dict') return 'it takes the parts of a nested tensor';
  const strange = parts.entries.find(([key, value]) => PARTS.get(textOf(key) ?? '')?.(value) !== true);
  return strange === undefined ? undefined : 'it is given what is no part of a nested tensor';
};

/** `torch.Size((n, …))`. */
export const torchSize: CallRule = ({ args }) =>
  args.length <= 1 && (args.length === 0 || countsOf(args[0]) !== undefined) ? undefined : 'it takes a tuple of counts';

/** `torch.device('cuda', 0)`. */
export const torchDevice: CallRule = ({ args }) => {
  const name = textOf(args[0]);
  if (args.length === 0 || args.length > 2 || name === undefined || !/^[a-z_]{1,16}(?::\d{1,4})?$/.test(name))
    return 'it takes the name of a device';
  return args.length === 1 || countOf(args[1]) !== undefined || args[1]?.kind === 'none' || args[1]?.kind === 'int'
    ? undefined
    : 'the index of a device is no number';
};

/** `torch.storage._load_from_bytes(bytes)` loads a file of its own: it passes when that file does. */
export const loadFromBytes: CallRule = ({ args }, context) => {
  const [inner] = args;
  if (args.length !== 1 || inner?.kind !== 'bytes') return 'it takes bytes of the stream';
  const { content, coverage } = context.inspect(inner);
  if (content !== 'inert' && content !== 'tensors' && content !== 'data') return 'the file inside holds more than data';
  return coverage.state === 'complete' ? undefined : 'the file inside was not understood to its end';
};

/** State of `TensorProperties`: dtype, layout, requires_grad, memory format and pin_memory; `__setstate__` takes them apart. */
export const tensorProperties: BuildRule = (_, state) => {
  const [dtype, layout, grad, format, pinned] = itemsOf(state) ?? [];
  const named = (value: Value | undefined) => value?.kind === 'global' && value.module === 'torch';
  const fits =
    state.kind === 'tuple' &&
    state.items.length === 5 &&
    named(dtype) &&
    (named(layout) || isCallOf(layout, 'torch.serialization', '_get_layout')) &&
    isFlag(grad) &&
    format?.kind === 'call' &&
    /^_?MEM_FORMAT_ENCODING$|^getattr$/.test(format.callee.name) &&
    isFlag(pinned);
  return fits ? undefined : 'the state is not that of the properties of a tensor';
};

/** `torch.nn.parameter.Parameter(tensor, requires_grad)`. */
export const parameter: CallRule = ({ args }) =>
  args.length <= 2 && args.every((arg) => isTensor(arg) || isConstant(arg)) ? undefined : 'it takes a tensor';
