import type { Finding } from '../formats/format.ts';
import type { Policy, Rule } from './compile.ts';
import { type Condition, holds, type Leaf, leavesOf } from './conditions.ts';
import type { Action, Facts } from './types.ts';
import { type Prepared, withOnly } from './values.ts';

/** A rule that spoke: with its action, or with that of `onError` when its condition could not be evaluated. */
export type Match = {
  readonly policy: Policy;
  readonly rule: Rule;
  readonly action: Action;
  readonly error?: string;
};

const wording = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 200) ?? '';

/** Every rule of the policy that speaks of these facts. A condition that cannot be evaluated speaks as `onError` says. */
export const matchesOf = (policy: Policy, prepared: Prepared): readonly Match[] => {
  const values = attempt(() => policy.withVars(prepared.values));
  return policy.rules.flatMap((rule): Match[] => {
    if ('error' in values) return [{ policy, rule, action: rule.onError, error: values.error }];
    const outcome = attempt(() => holds(rule.condition, values.value));
    if ('error' in outcome) return [{ policy, rule, action: rule.onError, error: outcome.error }];
    return outcome.value ? [{ policy, rule, action: rule.action }] : [];
  });
};

/** The value, or the wording of what went wrong. */
export const attempt = <T>(run: () => T): { readonly value: T } | { readonly error: string } => {
  try {
    return { value: run() };
  } catch (error) {
    return { error: wording(error) };
  }
};

/**
 * Indexes (into the facts' findings) of those that make an expression true: each is shown to it alone. An expression
 * that is true without any finding has none.
 */
export const witnessesOf = (policy: Policy, leaf: Leaf, prepared: Prepared, limit: number): readonly number[] => {
  const alone = (index: number | undefined): boolean => {
    const outcome = attempt(() => leaf.holds(policy.withVars(withOnly(prepared.values, index))));
    return 'value' in outcome && outcome.value;
  };
  if (prepared.indexes.length === 0 || alone(undefined)) return [];
  const witnesses: number[] = [];
  prepared.indexes.forEach((original, index) => {
    if (original >= 0 && witnesses.length < limit && alone(index)) witnesses.push(original);
  });
  return witnesses;
};

/** The worst finding that made the rule match, for the reason; the worst of all when no finding alone did. */
export const worstWitness = ({ policy, rule }: Match, facts: Facts, prepared: Prepared): Finding | undefined => {
  for (const leaf of positive(rule.condition)) {
    const [first] = witnessesOf(policy, leaf, prepared, 1);
    if (first !== undefined) return facts.findings[first];
  }
  const [worst = -1] = prepared.indexes;
  return facts.findings[worst];
};

/** Expressions outside every `not`: only those can be what made a rule match. */
const positive = (condition: Condition): readonly Leaf[] => {
  if (condition.kind === 'not') return [];
  return condition.kind === 'leaf' ? leavesOf(condition) : condition.of.flatMap(positive);
};
