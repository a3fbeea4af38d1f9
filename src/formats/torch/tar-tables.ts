import { createCursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Content, Context, PlanStorage } from '../format.ts';
import { runPickle } from '../pickle/machine.ts';
import { countOf, FALSE, type Global, itemsOf, NONE, type Value } from '../pickle/values.ts';
import { storageType } from './dtypes.ts';
import { judgeStorageBytes } from './storages.ts';
import { type StorageId, storageIdOf } from './tensor.ts';

/** Storages, views of them and tensors that one checkpoint may have. */
const OBJECT_LIMIT = 1_000_000;
/** Dimensions of a tensor: torch has at most 64. */
const DIMENSION_LIMIT = 64;

/** What the pickle's persistent ids name: storages and tensors, by their key. */
export type TarObjects = ReadonlyMap<number, Value>;

export type TarStorages = {
  readonly objects: TarObjects;
  /** Where the bytes of a storage are in the archive, by its key. */
  readonly places: ReadonlyMap<string, PlanStorage>;
};

/** The content of a pickle that was run. */
type Told = (content: Content) => void;

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `checkpoint in a tar: ${message}`, { offset });
};

/** Pickles and numbers, one behind the other. */
const createReader = (bytes: RandomAccess, context: Context, told: Told) => {
  const cursor = createCursor(bytes);
  const value = (): Value => {
    const at = cursor.position;
    const run = runPickle(bytes, at, { context });
    told(run.content);
    cursor.position = run.end;
    return run.stopped && run.value !== undefined ? run.value : invalid(run.fault ?? 'a pickle breaks', at);
  };
  const count = (what: string): number =>
    within(what, countOf(value()) ?? invalid(`${what} are not counted`, cursor.position), OBJECT_LIMIT);
  const toEnd = (): void => {
    if (cursor.remaining() > 0) invalid(`${cursor.remaining()} bytes follow the last entry`, cursor.position);
  };
  return { cursor, value, count, toEnd };
};

/**
 * Reads the member `storages`, whose first byte stands at `base` of the archive: their number; for each a pickle of key,
 * location and class, a 64-bit count of elements and the bytes (always little-endian); then a pickle of views into them.
 * Throws FORMAT_TRUNCATED, FORMAT_INVALID and LIMIT_EXCEEDED.
 */
export const readTarStorages = (bytes: RandomAccess, base: number, context: Context, told: Told): TarStorages => {
  const { cursor, value, count, toEnd } = createReader(bytes, context, told);
  const objects = new Map<number, Value>();
  const ids = new Map<number, StorageId>();
  const places = new Map<string, PlanStorage>();
  const add = (key: number, type: Global, elements: number, offset: number): void => {
    const object = storageObject(String(key), type, elements, offset);
    const id = storageIdOf(object.id) ?? invalid('a storage has no class of torch', offset);
    if (objects.has(key)) invalid('a storage has the key of another', offset);
    const length = within('storage bytes', elements * id.type.size, bytes.size);
    if (offset + length > bytes.size) invalid('a storage reaches beyond the file', offset);
    judgeStorageBytes(section(bytes, offset, offset + length), id.key, offset, context);
    objects.set(key, object);
    ids.set(key, id);
    places.set(id.key, {
      name: id.key,
      offset: base + offset,
      length,
      size: length,
      method: 'stored',
      byteOrder: 'little',
    });
  };
  const types = new Map<number, Global>();
  for (let left = count('storages'); left > 0; left -= 1) {
    const [keyValue, , type, more] = itemsOf(value()) ?? [];
    const key = countOf(keyValue);
    const known = type?.kind === 'global' && storageType(type.module, type.name) !== undefined;
    if (key === undefined || !known || more !== undefined)
      return invalid('a storage is not described as torch does', cursor.position);
    const elements = cursor.u64();
    add(key, type, elements, cursor.position);
    types.set(key, type);
    cursor.skip(places.get(String(key))?.length ?? 0);
  }
  const views = itemsOf(value()) ?? invalid('the views of storages are not a list', cursor.position);
  within('views of storages', views.length, OBJECT_LIMIT);
  for (const view of views) {
    const items = itemsOf(view) ?? [];
    const [target, root, offset, elements] = items.map(countOf);
    const whole = root === undefined ? undefined : ids.get(root);
    const type = root === undefined ? undefined : types.get(root);
    const place = whole === undefined ? undefined : places.get(whole.key);
    const odd = target === undefined || offset === undefined || elements === undefined;
    if (
      odd ||
      items.length !== 4 ||
      whole === undefined ||
      type === undefined ||
      place === undefined ||
      offset + elements > whole.elements
    )
      return invalid('a view of a storage is not inside one', cursor.position);
    add(target, type, elements, place.offset - base + offset * whole.type.size);
  }
  toEnd();
  return { objects, places };
};

/**
 * Reads the member `tensors`: their number; for each a pickle of key, key of its storage and class, then 32 bits of
 * dimensions, 32 that nobody reads, and 64-bit sizes, strides and offset. Gives them with the storages.
 */
export const readTarTensors = (
  bytes: RandomAccess,
  { objects }: TarStorages,
  context: Context,
  told: Told,
): TarObjects => {
  const { cursor, value, count, toEnd } = createReader(bytes, context, told);
  const found = new Map(objects);
  for (let left = count('tensors'); left > 0; left -= 1) {
    const items = itemsOf(value()) ?? [];
    const [key, storage] = items.map(countOf);
    const stored = storage === undefined ? undefined : objects.get(storage);
    if (key === undefined || found.has(key) || stored === undefined || items.length !== 3)
      return invalid('a tensor is not described as torch does', cursor.position);
    const dimensions = within('tensor dimensions', cursor.u32(), DIMENSION_LIMIT);
    cursor.skip(4);
    const shape = Array.from({ length: dimensions }, () => cursor.u64());
    const strides = Array.from({ length: dimensions }, () => cursor.u64());
    found.set(key, tensorObject(stored, cursor.u64(), shape, strides, cursor.position));
  }
  toEnd();
  return found;
};

const storageObject = (key: string, type: Global, elements: number, offset: number) => ({
  kind: 'persistent' as const,
  id: {
    kind: 'tuple' as const,
    items: [text('storage'), type, text(key), text('cpu'), whole(elements)],
  },
  offset,
});

/** The function by which later releases rebuild the same tensor; the stream may neither call it nor change what it gives. */
const REBUILD: Global = {
  kind: 'global',
  module: 'torch._utils',
  name: '_rebuild_tensor_v2',
  offset: 0,
  allowed: {
    content: 'tensors',
    reference: false,
    call: undefined,
    build: undefined,
    container: undefined,
    takesGlobals: false,
  },
};

const tensorObject = (
  storage: Value,
  start: number,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): Value => ({
  kind: 'call',
  callee: REBUILD,
  args: [storage, whole(start), counts(shape), counts(strides), FALSE, NONE],
  kwargs: [],
  states: [],
  items: [],
  entries: [],
  offset,
});

const text = (value: string): Value => ({ kind: 'str', text: value, whole: true });
const whole = (value: number): Value => ({ kind: 'int', value });
const counts = (values: readonly number[]): Value => ({ kind: 'tuple', items: values.map(whole) });
