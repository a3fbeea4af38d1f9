import type { Policy, Rule } from './compile.ts';
import type { Formula } from './logic/formula.ts';
import { type Effort, implies, isSatisfiable, newEffort } from './logic/satisfiable.ts';
import { formulaOf, mayFail } from './logic/translate.ts';
import type { PlacedDocument } from './places.ts';
import type { PolicyDocument } from './schema.ts';
import { ACTIONS, type Problem } from './types.ts';

/** A policy with where it was written. */
export type WrittenPolicy = {
  readonly document: PlacedDocument;
  readonly source: PolicyDocument;
  readonly policy: Policy;
};

type Written = {
  readonly of: WrittenPolicy;
  readonly rule: Rule;
  /** Among the rules of its policy. */
  readonly index: number;
  /** Among all rules: of equal actions the first one decides. */
  readonly order: number;
  readonly formula: Formula;
};

/**
 * Warns of rules that can never match, of rules that never decide since another one always wins, and of policies that
 * leave out all that they speak of. What is said is certain as long as `vars` can be evaluated; what depends on
 * expressions that cannot be compared, or that may fail, is not said. Takes up to seconds for large sets.
 */
export const idleProblems = (policies: readonly WrittenPolicy[]): readonly Problem[] => {
  const effort = newEffort();
  const written = policies
    .flatMap((of) => of.policy.rules.map((rule, index) => ({ of, rule, index, formula: formulaOf(rule.condition) })))
    .map((each, order): Written => ({ ...each, order }))
    .filter(({ rule }) => !mayFail(rule.condition));
  const never = new Set(written.filter(({ formula }) => !isSatisfiable(formula, effort)));
  const live = written.filter((each) => !never.has(each));
  return [
    ...policies
      .filter(leavesOutAll)
      .map(({ document }) =>
        warn(document, 'never applies: everything it speaks of is excluded', ['match', 'exclude']),
      ),
    ...[...never].map((each) => about(each, 'can never match: its conditions exclude each other')),
    ...live.flatMap((each) => {
      const winner = live.find((other) => alwaysWins(other, each, effort));
      return winner === undefined ? [] : [about(each, worded(winner))];
    }),
  ];
};

const warn = (document: PlacedDocument, message: string, path: readonly (string | number)[]): Problem =>
  document.problem(message, path, { severity: 'warning' });

const about = ({ of: { document }, rule, index }: Written, message: string): Problem =>
  warn(document, `${rule.name} ${message}`, ['rules', index, 'when']);

const worded = ({ rule }: Written): string =>
  `never decides: whatever it matches is matched by ${rule.name} (${rule.action}), which wins${refuses(rule) ? ' unless it is waived' : ''}`;

const refuses = ({ action }: Rule): boolean => action === 'deny' || action === 'quarantine';

const leavesOutAll = ({ source: { match = {} } }: WrittenPolicy): boolean => {
  const excluded = new Set(match.exclude);
  return (match.repos ?? ['**']).every((glob) => excluded.has(glob)) || excluded.has('**');
};

const alwaysWins = (winner: Written, loser: Written, effort: Effort): boolean =>
  winner !== loser &&
  isInForceWith(winner, loser) &&
  isStronger(winner, loser) &&
  // What a rule asks for beyond its action is heard also when another one decides, unless nothing is served.
  (refuses(winner.rule) || Object.keys(loser.rule.obligations).length === 0) &&
  isComparable(winner.of, loser.of) &&
  appliesWherever(winner.of.source, loser.of.source) &&
  implies(loser.formula, winner.formula, effort);

/** A policy that is only audited decides nothing for those that are enforced. */
const isInForceWith = (winner: Written, loser: Written): boolean =>
  winner.of.policy.mode === 'enforce' || loser.of.policy.mode === 'audit';

const isStronger = (winner: Written, loser: Written): boolean => {
  const difference = ACTIONS.indexOf(winner.rule.action) - ACTIONS.indexOf(loser.rule.action);
  // A conversion that is not possible is a quarantine by that rule.
  const alike = difference === 0 || (winner.rule.action === 'quarantine' && loser.rule.action === 'convert');
  return alike ? winner.order < loser.order : difference > 0;
};

/** The `vars` of two policies may have one name and two meanings. */
const isComparable = (one: WrittenPolicy, other: WrittenPolicy): boolean =>
  one === other || one.source.vars === undefined || other.source.vars === undefined;

/** True when the first policy speaks of all that the second one speaks of. */
const appliesWherever = ({ match: wide = {} }: PolicyDocument, { match: narrow = {} }: PolicyDocument): boolean => {
  const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  const early = (match: PolicyDocument['match']): boolean => match?.stages?.includes('request') ?? false;
  return (
    (['ecosystems', 'repos', 'clients'] as const).every(
      (key) => wide[key] === undefined || same(wide[key], narrow[key]),
    ) &&
    (wide.exclude === undefined || same(wide.exclude, narrow.exclude)) &&
    (early(wide) || !early(narrow))
  );
};
