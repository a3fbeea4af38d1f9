/** Tensors that differ in a number of their name only: `<name> <type> <shape>` with `*` for the numbers. */
export type Group = { readonly tensors: string; readonly count: number };

/** The structure of weights as reports tell it under `details.weights`. */
export type Structure = {
  readonly fingerprint: string;
  readonly tensors: number;
  readonly groups: readonly Group[];
  /** Groups beyond those that the report lists. */
  readonly moreGroups?: number | undefined;
};

/** How two structures differ. Nothing is said of values. */
export type Comparison = {
  /** Same names, types and shapes. */
  readonly sameStructure: boolean;
  /** Tensors that both have, by name, type and shape. */
  readonly common: number;
  readonly onlyFirst: readonly Group[];
  readonly onlySecond: readonly Group[];
  /** Names that both have with other types or shapes. */
  readonly changed: readonly {
    readonly name: string;
    readonly first: readonly string[];
    readonly second: readonly string[];
  }[];
  readonly assessment: string;
};

/**
 * Compares the structure of two files, of a model and its declared base for instance. Layers are told once, so a tensor
 * that one layer lacks shows as a smaller count.
 */
export const compareWeights = (first: Structure, second: Structure): Comparison => {
  const sameStructure = first.fingerprint === second.fingerprint;
  const onlyFirst = without(first.groups, second.groups);
  const onlySecond = without(second.groups, first.groups);
  const shared = first.groups.reduce((sum, { count }) => sum + count, 0) - total(onlyFirst);
  return {
    sameStructure,
    common: sameStructure ? first.tensors : shared,
    onlyFirst,
    onlySecond,
    changed: changedNames(onlyFirst, onlySecond),
    assessment: sameStructure ? SAME : assess(first, second, total(onlyFirst) + total(onlySecond)),
  };
};

const total = (groups: readonly Group[]): number => groups.reduce((sum, { count }) => sum + count, 0);

/** What `groups` have more than `others`. */
const without = (groups: readonly Group[], others: readonly Group[]): readonly Group[] => {
  const counts = new Map(others.map(({ tensors, count }) => [tensors, count]));
  return groups.flatMap(({ tensors, count }) => {
    const more = count - (counts.get(tensors) ?? 0);
    return more > 0 ? [{ tensors, count: more }] : [];
  });
};

const changedNames = (first: readonly Group[], second: readonly Group[]): Comparison['changed'] => {
  const [ours, theirs] = [formsByName(first), formsByName(second)];
  return [...ours].flatMap(([name, forms]) => {
    const others = theirs.get(name);
    return others === undefined ? [] : [{ name, first: forms, second: others }];
  });
};

/** Types and shapes by name; a name may hold spaces, its type and shape do not. */
const formsByName = (groups: readonly Group[]): ReadonlyMap<string, readonly string[]> => {
  const forms = new Map<string, string[]>();
  for (const { tensors } of groups) {
    const [, name = tensors, form = ''] = /^(.*) (\S+ \S+)$/.exec(tensors) ?? [];
    forms.set(name, [...(forms.get(name) ?? []), form]);
  }
  return forms;
};

const SAME = 'same structure; no static evidence of poisoning; confidence: low, values were not compared';

const assess = (first: Structure, second: Structure, different: number): string => {
  const partial = (first.moreGroups ?? 0) + (second.moreGroups ?? 0) > 0;
  const where = different > 0 ? '' : ' in numbers inside names, or beyond what the reports list,';
  const reach = partial ? 'only the listed groups were compared' : 'every group of tensors was compared';
  return `the structure differs,${where} which by itself says nothing of poisoning; confidence: high that it differs, ${reach}`;
};
