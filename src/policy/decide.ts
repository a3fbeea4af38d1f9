import type { Policy } from './compile.ts';
import { type Match, matchesOf, worstWitness } from './evaluate.ts';
import { type Lifts, liftsOf } from './lifts.ts';
import { OBSERVE_RULE } from './observe.ts';
import { wordReason } from './reason.ts';
import { cannotDrop, noticeOfRows } from './rows.ts';
import {
  ACTIONS,
  type Action,
  type Decision,
  type Facts,
  type Obligations,
  type PolicySet,
  type ReleaseTerms,
} from './types.ts';
import { type Prepared, prepare } from './values.ts';
import type { Waiver } from './waivers.ts';

/** Notices joined into one header, in characters. */
const MAX_NOTICE_CHARACTERS = 300;

export type Rules = {
  readonly policies: readonly Policy[];
  readonly waivers: readonly Waiver[];
  /** What happens to content that no rule speaks of. */
  readonly defaultAction: Exclude<Action, 'convert'>;
  readonly release: ReleaseTerms;
  /** Whether what is decided for these facts is only entered and not done. */
  observes(facts: Facts): boolean;
};

type Verdict = {
  readonly action: Action;
  /** Undefined: no rule spoke. */
  readonly match?: Match;
  readonly waiver?: string;
};

/**
 * Collects every rule that matches; the strongest action wins, so an `allow` never beats a refusal. Live waivers take
 * away the refusals they name, for the blob or artefact they name. When nothing is said, the default holds.
 */
export const decide = (rules: Rules, facts: Facts, now: number): Decision => {
  const decision = enforce(rules, facts, now);
  return decision.action !== 'allow' && rules.observes(facts) ? observed(decision) : decision;
};

/** The file as it is, and what would have been done with it. */
const observed = ({ action, rule, reason }: Decision): Decision => ({
  action: 'allow',
  rule: OBSERVE_RULE,
  reason: `not enforced, would be ${action}: ${reason}`,
  obligations: {},
  audited: { action, rule },
});

const enforce = (rules: Rules, facts: Facts, now: number): Decision => {
  const { prepared, matches } = matching(rules, facts);
  const lifts = liftsOf(rules, facts, now);
  const enforced = matches.filter(({ policy }) => policy.mode === 'enforce');
  const verdict = combine(rules, facts, enforced, lifts);
  const audited = enforced.length === matches.length ? verdict : combine(rules, facts, matches, lifts);
  const waits = verdict.action === 'quarantine' ? waiting(enforced, lifts) : [];
  return {
    action: verdict.action,
    rule: verdict.match?.rule.name ?? 'default',
    reason: reasonOf(verdict, facts, prepared),
    obligations: obligationsOf(verdict, enforced, facts),
    ...(audited.action === verdict.action
      ? {}
      : { audited: { action: audited.action, rule: audited.match?.rule.name ?? 'default' } }),
    ...(verdict.waiver === undefined ? {} : { waiver: verdict.waiver }),
    ...(waits.length === 0 ? {} : { waits }),
  };
};

/** Rules that hold and let go by themselves after a time. */
const waiting = (matches: readonly Match[], lifts: Lifts): readonly string[] =>
  matches
    .filter((match) => match.action === 'quarantine' && match.rule.autoRelease !== undefined && !lifts.match(match))
    .map(({ rule }) => rule.name);

/** Every rule of the policies in force that refuses these facts and that nothing lifts; `default` when none matched at all. */
export const refusing = (rules: Rules, facts: Facts, now: number): ReturnType<PolicySet['refusing']> => {
  const prepared = prepare(facts);
  const lifts = liftsOf(rules, facts, now);
  const matches = rules.policies
    .filter((policy) => policy.mode === 'enforce' && policy.applies(facts))
    .flatMap((policy) => matchesOf(policy, prepared))
    .map((match) => convertOrHold(match, facts));
  const standing = matches.flatMap((match) =>
    (match.action === 'quarantine' || match.action === 'deny') && lifts.match(match) === undefined
      ? [{ rule: match.rule.name, action: match.action }]
      : [],
  );
  const { defaultAction } = rules;
  const byDefault = matches.length === 0 && facts.stage === 'content' && defaultAction !== 'allow';
  return byDefault && lifts.default(defaultAction) === undefined
    ? [{ rule: 'default', action: defaultAction }]
    : standing;
};

type Matching = { readonly prepared: Prepared; readonly matches: readonly Match[] };

const matchings = new WeakMap<Rules, WeakMap<Facts, Matching>>();

/** The rules that speak of these facts. It depends on nothing else, no clock either, so it is found once for each of both. */
const matching = (rules: Rules, facts: Facts): Matching => {
  const known = matchings.get(rules) ?? new WeakMap<Facts, Matching>();
  const before = known.get(facts);
  if (before !== undefined) return before;
  const prepared = prepare(facts);
  const applying = rules.policies.filter((policy) => policy.applies(facts));
  const matches = applying.flatMap((policy) => matchesOf(policy, prepared)).map((match) => convertOrHold(match, facts));
  known.set(facts, { prepared, matches });
  matchings.set(rules, known);
  return { prepared, matches };
};

const strength = (action: Action): number => ACTIONS.indexOf(action);
const refuses = (action: Action): boolean => action === 'deny' || action === 'quarantine';

/** Where nothing can be served in the place of the file, `convert` does not mean that the file itself may be served. */
const convertOrHold = (match: Match, { convertible, dataset, stage }: Facts): Match => {
  const possible = match.rule.obligations.rows === 'drop' ? dataset.droppable : convertible;
  return match.action === 'convert' && !possible && stage === 'content' ? { ...match, action: 'quarantine' } : match;
};

const combine = (rules: Rules, facts: Facts, matches: readonly Match[], lifts: Lifts): Verdict => {
  const waived = matches.find((match) => refuses(match.action) && lifts.match(match) !== undefined);
  const waiver = waived && lifts.match(waived);
  const standing = matches.filter((match) => !refuses(match.action) || lifts.match(match) === undefined);
  const strongest = standing.reduce<Match | undefined>(
    (best, match) => (best === undefined || strength(match.action) > strength(best.action) ? match : best),
    undefined,
  );
  if (strongest !== undefined) {
    const used = refuses(strongest.action) ? undefined : waiver;
    return { action: strongest.action, match: strongest, ...(used === undefined ? {} : { waiver: used }) };
  }
  if (waiver !== undefined && waived !== undefined) return { action: 'allow', match: waived, waiver };
  if (facts.stage === 'request') return { action: 'allow' };
  const byDefault = lifts.default(rules.defaultAction);
  return byDefault === undefined ? { action: rules.defaultAction } : { action: 'allow', waiver: byDefault };
};

const reasonOf = ({ action, match, waiver }: Verdict, facts: Facts, prepared: Prepared): string => {
  const say = (message: string): string =>
    wordReason(facts, {
      rule: match?.rule.name ?? 'default',
      refused: refuses(action),
      message,
      remediation: refuses(action) ? match?.rule.remediation : undefined,
      owner: refuses(action) ? match?.policy.owner : undefined,
      finding: match !== undefined && refuses(action) ? worstWitness(match, facts, prepared) : undefined,
    });
  if (waiver !== undefined) return say(`released by waiver ${waiver}`);
  if (match === undefined) {
    return say(refuses(action) ? 'no rule allows this content' : 'no rule refuses this');
  }
  if (match.error !== undefined) return say(`the condition could not be evaluated (${match.error})`);
  if (match.rule.action === 'convert' && action === 'quarantine') {
    return say(match.rule.obligations.rows === 'drop' ? cannotDrop(facts) : 'cannot be converted to safetensors');
  }
  return say(match.rule.message);
};

/** A refusal has nothing to serve. Notices speak of what is served, so they come from rules of the same action. */
const obligationsOf = ({ action }: Verdict, matches: readonly Match[], facts: Facts): Obligations => {
  if (refuses(action)) return {};
  const granted = matches.filter((match) => !refuses(match.action)).map(({ rule }) => rule.obligations);
  const speaking = matches.filter((match) => match.action === action).map(({ rule }) => rule.obligations.notice);
  const rows = matches.find((each) => each.action === action && each.rule.obligations.rows !== undefined)?.rule
    .obligations.rows;
  const told = rows === undefined ? undefined : noticeOfRows(rows, facts);
  const notices = [...new Set([told, ...speaking].filter((notice) => notice !== undefined))];
  return {
    ...(rows === undefined ? {} : { rows }),
    ...(notices.length === 0 ? {} : { notice: notices.join('; ').slice(0, MAX_NOTICE_CHARACTERS) }),
    ...(granted.some(({ release }) => release === 'hold') ? { release: 'hold' as const } : {}),
  };
};
