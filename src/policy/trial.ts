import type { Case } from './cases.ts';
import type { Decision, PolicySet } from './types.ts';

/** How one case went: passed when nothing is in `differences`. */
export type CaseResult = {
  readonly of: Case;
  readonly decision: Decision;
  readonly differences: readonly string[];
};

/** How well one rule is tested. */
export type RuleCoverage = {
  readonly rule: string;
  readonly action: string;
  readonly mode: 'enforce' | 'audit';
  /** Cases in which its condition held. */
  readonly matched: number;
  /** Cases that pass, and would not if the rule were taken out: they name it. */
  readonly expected: number;
};

export type Trial = { readonly results: readonly CaseResult[]; readonly coverage: readonly RuleCoverage[] };

/** Decides every case with the set, and counts for each rule the cases that speak of it. */
export const tryPolicies = (set: PolicySet, cases: readonly Case[]): Trial => {
  const matched = new Map<string, number>();
  const expected = new Map<string, number>();
  const count = (counts: Map<string, number>, rule: string): void => {
    counts.set(rule, (counts.get(rule) ?? 0) + 1);
  };
  const results = cases.map((each): CaseResult => {
    const decision = set.decide(each.facts, each.now);
    const spoke = new Set(set.explain(each.facts, each.now).flatMap(({ rule, matched: did }) => (did ? [rule] : [])));
    const differences = differencesOf(each, decision, spoke);
    for (const rule of spoke) count(matched, rule);
    if (differences.length === 0) for (const rule of namedIn(each)) count(expected, rule);
    return { of: each, decision, differences };
  });
  const coverage = set.rules.map(({ name, action, mode }) => ({
    rule: name,
    action,
    mode,
    matched: matched.get(name) ?? 0,
    expected: expected.get(name) ?? 0,
  }));
  return { results, coverage };
};

/** Rules without which the case would fail. */
const namedIn = ({ expected: { rule, audited, also = [] } }: Case): ReadonlySet<string> =>
  new Set([rule, ...(audited === undefined ? [] : [audited.rule]), ...also]);

const differencesOf = ({ expected }: Case, decision: Decision, spoke: ReadonlySet<string>): readonly string[] => {
  const differences: string[] = [];
  const compare = (what: string, wanted: string, got: string): void => {
    if (wanted !== got) differences.push(`${what}: expected ${wanted}, got ${got}`);
  };
  compare('decision', outcome(expected), outcome(decision));
  if (expected.obligations !== undefined) {
    compare('obligations', worded(expected.obligations), worded(decision.obligations));
  }
  if (expected.audited !== undefined) compare('audited', outcome(expected.audited), outcome(decision.audited));
  if (expected.waiver !== undefined) compare('waiver', expected.waiver, decision.waiver ?? 'none');
  if (expected.reason !== undefined && !decision.reason.includes(expected.reason)) {
    differences.push(`reason: expected one with ${JSON.stringify(expected.reason)}, got ${decision.reason}`);
  }
  for (const rule of expected.also ?? []) if (!spoke.has(rule)) differences.push(`also: ${rule} did not match`);
  return differences;
};

const outcome = (of: { readonly action: string; readonly rule: string } | undefined): string =>
  of === undefined ? 'nothing' : `${of.action} ${of.rule}`;

type Written = { readonly [K in keyof Decision['obligations']]: Decision['obligations'][K] | undefined };

const worded = ({ notice, release, rows }: Written): string => {
  const parts = Object.entries({ notice, release, rows }).filter(([, value]) => value !== undefined);
  return parts.length === 0 ? 'none' : parts.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ');
};
