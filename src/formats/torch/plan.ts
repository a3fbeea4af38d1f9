import { type Context, type Plan, type PlanStorage, printable } from '../format.ts';
import type { StateDict } from './state-dict.ts';
import { elementsOf, reachOf, type StorageId, type TensorView } from './tensor.ts';

/** Output for each byte of storage: views with stride 0 can ask for any amount; tied weights ask for twice. */
const EXPANSION_LIMIT = 8;
/** Output that is harmless whatever it expands from. */
const EXPANSION_FREE = 16 * 1024 * 1024;

/** Either a plan, or why there is none. */
export type Planned = { readonly plan: Plan } | { readonly notConvertible: string };

/** Finds the bytes of a storage; undefined when the file does not hold it. */
export type LocateStorage = (id: StorageId) => PlanStorage | undefined;

/**
 * Checks that every tensor lies inside its storage and every storage inside its member, and makes the plan. A view out of
 * bounds reads memory that is not its own in loaders that do not check (CVE-2026-24747).
 */
export const makePlan = (state: StateDict, locate: LocateStorage, context: Context): Planned => {
  const storages: PlanStorage[] = [];
  const places = new Map<string, number>();
  let refused = state.refused;
  const refuse = (name: string, why: string) => {
    refused ??= `${printable(name, 120)}: ${why}`;
  };
  const placeOf = (id: StorageId, name: string): number => {
    const known = places.get(id.key);
    if (known !== undefined) return known;
    const found = locate(id);
    if (found === undefined) refuse(name, 'its storage is not in the file');
    const storage: PlanStorage = found ?? {
      name: id.key,
      offset: 0,
      length: 0,
      size: 0,
      method: 'stored',
      byteOrder: 'little',
    };
    places.set(id.key, storages.length);
    return storages.push(storage) - 1;
  };
  const tensors: Plan['tensors'][number][] = [];
  let output = 0;
  for (const { name, view } of state.tensors) {
    const storage = placeOf(view.storage, name);
    const held = storages[storage]?.size ?? 0;
    const bytes = elementsOf(view.shape) * view.size;
    if (!Number.isSafeInteger(bytes) || !Number.isSafeInteger(reachOf(view)) || reachOf(view) > held) {
      outside(name, view, held, context);
      refuse(name, 'it reaches beyond its storage');
    }
    output += bytes;
    const { dtype, shape, strides } = view;
    tensors.push({ name, dtype, shape, storage, offset: bytes === 0 ? 0 : view.offset, strides });
  }
  const source = storages.reduce((sum, { size }) => sum + size, 0);
  if (output > EXPANSION_FREE && output > source * EXPANSION_LIMIT)
    refuse('the file', 'its tensors expand to many times its size');
  return refused === undefined ? { plan: { storages, tensors, dropped: state.dropped } } : { notConvertible: refused };
};

const outside = (name: string, view: TensorView, held: number, context: Context): void =>
  context.report({
    rule: 'torch.tensor-bounds',
    severity: 'high',
    message: `a tensor reaches ${reachOf(view)} bytes into a storage of ${held}`,
    offset: 0,
    evidence: printable(name),
    refs: ['CVE-2026-24747', 'CWE-125'],
  });
