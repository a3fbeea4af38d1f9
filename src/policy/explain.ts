import type { Policy, Rule } from './compile.ts';
import { type Leaf, leavesOf } from './conditions.ts';
import { attempt, matchesOf, witnessesOf } from './evaluate.ts';
import type { Explained, Facts } from './types.ts';
import { type Prepared, prepare } from './values.ts';

/** Findings named as witnesses of one condition. */
const MAX_WITNESSES = 100;

/** Evaluates every condition of every rule that applies, without stopping early, and says which findings, the worst first, made it true. */
export const explain = (policies: readonly Policy[], facts: Facts): readonly Explained[] => {
  const prepared = prepare(facts);
  return policies.filter((policy) => policy.applies(facts)).flatMap((policy) => explainPolicy(policy, prepared));
};

const explainPolicy = (policy: Policy, prepared: Prepared): readonly Explained[] => {
  const matched = new Map(matchesOf(policy, prepared).map((match) => [match.rule.name, match]));
  return policy.rules.map((rule: Rule) => ({
    rule: rule.name,
    action: matched.get(rule.name)?.action ?? rule.action,
    matched: matched.has(rule.name),
    conditions: leavesOf(rule.condition).map((leaf) => explainLeaf(policy, leaf, prepared)),
  }));
};

const explainLeaf = (policy: Policy, leaf: Leaf, prepared: Prepared): Explained['conditions'][number] => {
  const { text, at } = leaf;
  const outcome = attempt(() => leaf.holds(policy.withVars(prepared.values)));
  if ('error' in outcome) return { text, at, value: 'error', witnesses: [], error: outcome.error };
  const witnesses = outcome.value ? witnessesOf(policy, leaf, prepared, MAX_WITNESSES) : [];
  return { text, at, value: outcome.value, witnesses };
};
