import { type Json, printable } from '../format.ts';
import type { Described } from './structure.ts';

/** Names of adapted modules, and ranks, in the report. */
const MODULES = 64;
/** Characters of a module's name, and of a tensor's name that are looked at. */
const NAME = 120;
const LOOKED = 1000;
/** How many times the median a module's update must be to be told apart. */
const OUTLIER = 8;
/** Modules from which on a median says something. */
const ENOUGH = 6;
const OUTLIERS = 8;

/** The matrix that a low-rank adapter applies first: its first dimension is the rank (peft, kohya, llama.cpp). */
const DOWN = /^(.*?)(?:\.weight)?[._](?:lora_embedding_A|lora_[aA]|lora_down)(?:\.|$)/;
/** The one that it applies second. */
const UP = /^(.*?)(?:\.weight)?[._](?:lora_embedding_B|lora_[bB]|lora_up)(?:\.|$)/;

/** The two matrices of one adapted module. */
export type Pair<T extends Described> = { readonly module: string; readonly down: T; readonly up: T };

const moduleOf = (name: string, matrix: RegExp): string | undefined => matrix.exec(name.slice(0, LOOKED))?.[1];

/** The adapted modules of a low-rank adapter, in the order of the file; none for anything else. */
export const pairsOf = <T extends Described>(tensors: readonly T[]): readonly Pair<T>[] => {
  const ups = new Map<string, T>();
  for (const tensor of tensors) {
    const module = moduleOf(tensor.name, UP);
    if (module !== undefined) ups.set(module, tensor);
  }
  return tensors.flatMap((down) => {
    const module = moduleOf(down.name, DOWN);
    const up = module === undefined ? undefined : ups.get(module);
    return module === undefined || up === undefined ? [] : [{ module, down, up }];
  });
};

/** Ranks, adapted modules, layers and scale of a low-rank adapter; undefined for anything else. */
export const describeAdapter = (
  tensors: readonly Described[],
  metadata: ReadonlyMap<string, string>,
): { [key: string]: Json } | undefined => {
  const ranks = new Set<number>();
  const modules = new Set<string>();
  const layers = new Set<number>();
  let matrices = 0;
  for (const { name, shape } of tensors) {
    const module = moduleOf(name, DOWN);
    const [rank] = shape;
    if (module === undefined || rank === undefined) continue;
    matrices += 1;
    if (ranks.size < MODULES) ranks.add(rank);
    if (modules.size < MODULES) modules.add(printable(lastPart(module), NAME));
    const layer = /\d{1,6}/.exec(module)?.[0];
    if (layer !== undefined) layers.add(Number(layer));
  }
  if (matrices === 0) return undefined;
  const alpha = alphaOf(metadata);
  return {
    kind: 'lora',
    matrices,
    ranks: [...ranks].sort((a, b) => a - b),
    modules: [...modules].sort(),
    ...(layers.size === 0 ? {} : { layers: reach(layers) }),
    ...(alpha === undefined ? {} : { alpha }),
  };
};

const lastPart = (module: string): string => module.slice(module.lastIndexOf('.') + 1).replace(/\d+/g, '*');

/** How many layers are adapted, and the first and the last of them. */
const reach = (layers: ReadonlySet<number>): Json => {
  let [first, last] = [Number.MAX_SAFE_INTEGER, 0];
  for (const layer of layers) [first, last] = [Math.min(first, layer), Math.max(last, layer)];
  return { count: layers.size, first, last };
};

/** The scale that the file's own metadata states; peft keeps it in `adapter_config.json`. */
const alphaOf = (metadata: ReadonlyMap<string, string>): number | undefined => {
  const alpha = Number(metadata.get('ss_network_alpha') ?? metadata.get('lora_alpha') ?? Number.NaN);
  return Number.isFinite(alpha) ? alpha : undefined;
};

/** How much one module is changed: the root mean square of an element of the product of its two matrices, unscaled. */
export type Update = { readonly module: string; readonly size: number };

export type Updates = {
  readonly told: { [key: string]: Json };
  /** Modules whose update stands out, the largest first. */
  readonly outliers: readonly { readonly module: string; readonly times: number }[];
};

/**
 * How much each measured module is changed. The size is that of a product of independent random matrices with the root
 * mean squares of the two samples, so it estimates and proves nothing; a module that begins as it was has none.
 */
export const weighUpdates = (updates: readonly Update[]): Updates | undefined => {
  if (updates.length === 0) return undefined;
  const sizes = updates.map(({ size }) => size).filter((size) => size > 0);
  const median = sizes.sort((a, b) => a - b)[sizes.length >> 1] ?? 0;
  const outliers = updates
    .filter(({ size }) => sizes.length >= ENOUGH && size > OUTLIER * median)
    .sort((a, b) => b.size - a.size)
    .slice(0, OUTLIERS)
    .map(({ module, size }) => ({ module: printable(module, NAME), times: Math.round(size / median) }));
  const told = {
    measured: updates.length,
    untouched: updates.length - sizes.length,
    median: rounded(median),
    largest: rounded(sizes.at(-1) ?? 0),
    ...(outliers.length === 0 ? {} : { outliers }),
  };
  return { told, outliers };
};

const rounded = (value: number): number => Number(value.toPrecision(3));
