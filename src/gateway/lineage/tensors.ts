import { partOf } from '../../formats/weights/choose.ts';
import { NO_TENSORS, type TensorLineage } from '../../policy/lineage.ts';
import { compareWeights, type Group } from '../compare.ts';
import type { Sample, Weights } from './reported.ts';

/** Relative difference of two numbers of which one was rounded to 8 bits of mantissa. */
const ROUNDING = 1 / 64;
/** Distances beyond it are told as this one. */
const FARTHEST = 1000;
/** Numbers smaller than this part of the largest of their sample are compared as it is. */
const FLOOR = 1e-3;

/** The weights of several files as those of one: of a model in shards. */
export const together = (files: readonly Weights[]): Weights | undefined => {
  const [first, ...others] = files;
  if (first === undefined || others.length === 0) return first;
  const counts = new Map<string, number>();
  for (const { groups } of files)
    for (const { tensors, count } of groups) counts.set(tensors, (counts.get(tensors) ?? 0) + count);
  return {
    // Of the whole no fingerprint is known: it would be that of the tensors, not of the shards.
    fingerprint: '',
    tensors: files.reduce((sum, { tensors }) => sum + tensors, 0),
    groups: [...counts].map(([tensors, count]) => ({ tensors, count })),
    moreGroups: files.reduce((sum, { moreGroups = 0 }) => sum + moreGroups, 0),
    samples: files.flatMap(({ samples }) => samples),
    adapter: files.some(({ adapter }) => adapter),
  };
};

/** How the tensors of `own` differ from those of its base. `whole` is false for one shard of several. */
export const compareTensors = (own: Weights, base: Weights, whole: boolean): TensorLineage => {
  // The tensors of an adapter are laid over those of its base: none of them has a counterpart there.
  if (own.adapter !== base.adapter) return NO_TENSORS;
  const { common, onlyFirst, onlySecond, changed } = compareWeights(own, base);
  const theirs = new Map(changed.map(({ name, second }) => [name, second]));
  let [retyped, reshaped, added] = [0, 0, 0];
  for (const group of onlyFirst) {
    const others = theirs.get(nameOf(group));
    if (others === undefined) added += group.count;
    else if (others.some((form) => shapeOf(form) === shapeOf(group.tensors))) retyped += group.count;
    else reshaped += group.count;
  }
  const lost = onlySecond.filter((group) => !theirs.has(nameOf(group)));
  return {
    ...NO_TENSORS,
    compared: true,
    total: own.tensors,
    same: common,
    retyped,
    reshaped,
    added,
    missing: whole ? lost.reduce((sum, { count }) => sum + count, 0) : -1,
    ...compareSamples(own.samples, base.samples),
  };
};

const nameOf = ({ tensors }: Group): string => /^(.*) \S+ \S+$/.exec(tensors)?.[1] ?? tensors;
const shapeOf = (form: string): string => form.slice(form.lastIndexOf(' ') + 1);

/** Which samples of the same names differ, in which parts of the network, and by how much in the median. */
export const compareSamples = (
  own: readonly Sample[],
  base: readonly Sample[],
): Pick<TensorLineage, 'sampled' | 'changed' | 'parts' | 'distance'> => {
  const theirs = new Map(base.map((sample) => [sample.name, sample]));
  const parts = new Set<string>();
  const distances: number[] = [];
  let sampled = 0;
  for (const sample of own) {
    const other = theirs.get(sample.name);
    if (other === undefined) continue;
    sampled += 1;
    if (isSame(sample, other)) continue;
    parts.add(partOf(sample.name));
    distances.push(distanceOf(sample.numbers, other.numbers));
  }
  const median = distances.sort((a, b) => a - b)[distances.length >> 1] ?? 0;
  return { sampled, changed: distances.length, parts: [...parts].sort(), distance: Number(median.toPrecision(3)) };
};

/** The same bytes; or, where the types differ, the same numbers as far as the narrower type holds them. */
const isSame = (a: Sample, b: Sample): boolean => {
  if (a.dtype === b.dtype && a.elements === b.elements) return a.digest === b.digest;
  const scale = Math.max(...b.numbers.map((number) => Math.abs(number ?? 0)));
  return a.numbers.every((number, at) => {
    const other = b.numbers[at];
    if (number === null || other === null || other === undefined) return number === (other ?? null);
    return Math.abs(number - other) <= ROUNDING * Math.max(Math.abs(other), FLOOR * scale);
  });
};

const distanceOf = (own: readonly (number | null)[], base: readonly (number | null)[]): number => {
  let [difference, size] = [0, 0];
  for (const [at, number] of own.entries()) {
    const other = base[at];
    if (number === null || other === null || other === undefined) continue;
    difference += (number - other) ** 2;
    size += other ** 2;
  }
  if (difference === 0) return 0;
  // A base of zeros is infinitely far from anything else; as a fact it is only as far as another model.
  if (size === 0) return 1;
  const ratio = Math.sqrt(difference / size);
  return Number.isFinite(ratio) ? Math.min(ratio, FARTHEST) : FARTHEST;
};
