import type { Dtype } from '../format.ts';
import { type Call, countOf, entriesOf, isCallOf, isMapping, itemsOf, textOf, type Value } from '../pickle/values.ts';
import { elementType, type StorageType, storageType } from './dtypes.ts';

/** What a persistent id says about a storage. */
export type StorageId = {
  readonly key: string;
  readonly type: StorageType;
  readonly elements: number;
};

/** A view into a storage. Offset and strides count elements. */
export type TensorView = {
  readonly storage: StorageId;
  readonly size: number;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
};

/** A value is a tensor that can be written, a tensor that cannot (and why), or no tensor. */
export type TensorReading = { readonly view: TensorView } | { readonly refused: string } | undefined;

/** Dimensions of a tensor: safetensors readers stop at far fewer. */
const DIMENSION_LIMIT = 64;

/**
 * The id of a storage: ('storage', class, key, location, elements), and in legacy files a view, which is None
 * (torch/serialization.py, `persistent_load`). Undefined when it is anything else.
 */
export const storageIdOf = (id: Value): StorageId | undefined => {
  const [tag, type, key, location, elements, view, more] = itemsOf(id) ?? [];
  if (id.kind !== 'tuple' || textOf(tag) !== 'storage' || type?.kind !== 'global' || more !== undefined)
    return undefined;
  const known = storageType(type.module, type.name);
  const name = textOf(key);
  const count = countOf(elements);
  if (known === undefined || name === undefined || count === undefined || textOf(location) === undefined)
    return undefined;
  if (view !== undefined && view.kind !== 'none') return undefined;
  return { key: name, type: known, elements: count };
};

/** Reads what torch's functions rebuild: plain, strided tensors only; anything else is refused with a reason, never guessed. */
export const readTensor = (value: Value): TensorReading => {
  if (value.kind !== 'call') return undefined;
  const { module, name } = value.callee;
  if (module === 'torch._tensor' && name === '_rebuild_from_type_v2') return fromType(value);
  if (module === 'torch.nn.parameter' && name === 'Parameter') {
    const [data] = value.args;
    return data === undefined
      ? { refused: 'a Parameter without data' }
      : (readTensor(data) ?? { refused: 'a Parameter without data' });
  }
  if (module === 'torch' && name.endsWith('Tensor')) return { refused: `a tensor in the form of ${name}` };
  if (module !== 'torch._utils' || !name.startsWith('_rebuild_')) return undefined;
  return rebuilt(name, value.args);
};

/** Tensors that are more than one array of numbers, by the function that rebuilds them. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ['_rebuild_sparse_tensor', 'a sparse tensor, kept as indices and values'],
  ['_rebuild_sparse_csr_tensor', 'a sparse tensor, kept as indices and values'],
  ['_rebuild_qtensor', 'a quantised tensor, kept as integers with scale and zero point'],
  ['_rebuild_njt', 'a jagged nested tensor, kept as values and offsets'],
  ['_rebuild_nested_tensor', 'a nested tensor, kept as one buffer with sizes and offsets'],
  ['_rebuild_wrapper_subclass', 'a tensor of a subclass, which has no numbers of its own'],
]);

const rebuilt = (name: string, args: readonly Value[]): TensorReading => {
  const [first] = args;
  if (name === '_rebuild_tensor' || name === '_rebuild_tensor_v2') {
    if (hasEntries(args[6])) return { refused: 'a tensor with metadata (conjugated or negated)' };
    return readView(args, undefined);
  }
  if (name === '_rebuild_tensor_v3') {
    if (hasEntries(args[7])) return { refused: 'a tensor with metadata (conjugated or negated)' };
    const dtype = args[6];
    const type = dtype?.kind === 'global' && dtype.module === 'torch' ? elementType(dtype.name) : undefined;
    return type === undefined ? { refused: 'a tensor of a type that is not known' } : readView(args, type);
  }
  if (name === '_rebuild_parameter' || name === '_rebuild_parameter_with_state') {
    const tensor = first === undefined ? undefined : readTensor(first);
    return tensor ?? { refused: 'a Parameter without data' };
  }
  if (name === '_rebuild_meta_tensor_no_storage') return { refused: 'a tensor on the meta device, which has no data' };
  const kind = KINDS.get(name);
  return { refused: kind === undefined ? `a tensor made by ${name}` : `${kind}: safetensors has no form for it` };
};

/** `_rebuild_from_type_v2(func, type, args, state)`: attributes of the tensor object are not written. */
const fromType = (call: Call): TensorReading => {
  const [func, type, args] = call.args;
  if (func?.kind === 'global' && func.name === '_rebuild_njt') return rebuilt(func.name, []);
  const plain =
    type?.kind === 'global' &&
    ((type.module === 'torch' && type.name === 'Tensor') ||
      (type.module === 'torch.nn.parameter' && type.name === 'Parameter'));
  if (!plain || func?.kind !== 'global' || func.module !== 'torch._utils' || args?.kind !== 'tuple') {
    return { refused: 'a tensor of a subclass' };
  }
  return rebuilt(func.name, args.items);
};

const hasEntries = (value: Value | undefined): boolean =>
  value !== undefined && value.kind !== 'none' && !(isMapping(value) && entriesOf(value)?.length === 0);

const readView = (args: readonly Value[], given: StorageType | undefined): TensorReading => {
  const [stored, offsetValue, shapeValue, stridesValue] = args;
  const storage = stored?.kind === 'persistent' ? storageIdOf(stored.id) : undefined;
  if (storage === undefined) return { refused: 'a tensor whose storage is not in the file' };
  const { size, dtype } = given ?? storage.type;
  const offset = countOf(offsetValue);
  const shape = countsOf(shapeValue);
  const strides = countsOf(stridesValue);
  if (offset === undefined || shape === undefined || strides === undefined || shape.length !== strides.length) {
    return { refused: 'a tensor whose shape or strides are no counts' };
  }
  if (dtype === undefined) return { refused: 'a tensor of a type that safetensors does not have' };
  return { view: { storage, size, dtype, shape, strides, offset } };
};

const countsOf = (value: Value | undefined): readonly number[] | undefined => {
  const items = itemsOf(isCallOf(value, 'torch', 'Size') ? value.args[0] : value);
  if (items === undefined || items.length > DIMENSION_LIMIT) return undefined;
  const counts = items.map(countOf);
  return counts.every((count) => count !== undefined) ? counts : undefined;
};

/** Elements of a shape; may be beyond what can be counted, which callers check. */
export const elementsOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Bytes of its storage that a view reaches, from the first of the storage on. */
export const reachOf = ({
  shape,
  strides,
  offset,
  size,
}: Pick<TensorView, 'shape' | 'strides' | 'offset' | 'size'>): number => {
  if (shape.includes(0)) return 0;
  return (shape.reduce((sum, count, axis) => sum + (count - 1) * (strides[axis] ?? 0), offset) + 1) * size;
};
