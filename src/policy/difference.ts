import type { Action, Decision, Facts } from './types.ts';

/** Kinds of change that are counted one by one; a real edit makes some. The rest is counted together. */
const MAX_CHANGES = 1000;
/** Teams, and clients, that are counted one by one in each kind of change. */
const MAX_NAMES = 200;
/** What the rest is counted under. */
export const OTHERS = '(others)';
/** Before the first name: who has none. */
export const NOBODY = '(none)';

/** What a policy set does with a request, as far as its requester notices. */
export type Outcome = { readonly action: Action; readonly rule: string; readonly obligations: string };

export const outcomeOf = ({ action, rule, obligations: { notice, release, rows } }: Decision): Outcome => ({
  action,
  rule,
  obligations: Object.entries({ notice, release, rows })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
    .join(', '),
});

/** One past request as two sets see it. */
export type Replayed = {
  readonly before: Outcome;
  readonly after: Outcome;
  readonly team: Facts['requester']['team'];
  readonly client: Facts['client']['name'];
};

/** Requests that change alike: from one action of one rule to another. */
export type Change<Example> = {
  readonly before: Outcome;
  readonly after: Outcome;
  readonly requests: number;
  /** Requests by team and by client, most first. */
  readonly teams: readonly (readonly [name: string, requests: number])[];
  readonly clients: readonly (readonly [name: string, requests: number])[];
  /** The newest ones. */
  readonly examples: readonly Example[];
};

export type Difference<Example> = {
  readonly requests: number;
  readonly changed: number;
  /** Requests that come to the same end by another rule. */
  readonly otherRule: number;
  /** Most requests first. */
  readonly changes: readonly Change<Example>[];
  /** Changed requests beyond the kinds of change that are counted one by one. */
  readonly uncounted: number;
};

type Counting<Example> = {
  readonly before: Outcome;
  readonly after: Outcome;
  requests: number;
  readonly teams: Map<string, number>;
  readonly clients: Map<string, number>;
  readonly examples: Example[];
};

/** Counts what changes, request by request; memory does not grow with their number. Keeps `examples` of each kind. */
export const createDifference = <Example>(
  examples: number,
): { add(one: Replayed, example: Example): void; result(): Difference<Example> } => {
  const kinds = new Map<string, Counting<Example>>();
  const sums = { requests: 0, changed: 0, otherRule: 0, uncounted: 0 };
  return {
    add({ before, after, team, client }, example) {
      sums.requests += 1;
      const same = before.action === after.action && before.obligations === after.obligations;
      if (same && before.rule !== after.rule) sums.otherRule += 1;
      if (same) return;
      sums.changed += 1;
      const key = JSON.stringify([before, after]);
      const kind = kinds.get(key) ?? {
        before,
        after,
        requests: 0,
        teams: new Map<string, number>(),
        clients: new Map<string, number>(),
        examples: [],
      };
      if (!kinds.has(key) && kinds.size >= MAX_CHANGES) {
        sums.uncounted += 1;
        return;
      }
      kinds.set(key, kind);
      kind.requests += 1;
      count(kind.teams, team);
      count(kind.clients, client);
      kind.examples.push(example);
      if (kind.examples.length > examples) kind.examples.shift();
    },
    result: () => ({
      ...sums,
      changes: [...kinds.values()]
        .map((kind) => ({ ...kind, teams: mostFirst(kind.teams), clients: mostFirst(kind.clients) }))
        .sort((a, b) => b.requests - a.requests),
    }),
  };
};

const count = (names: Map<string, number>, name: string): void => {
  const shown = name === '' ? NOBODY : name;
  const under = names.has(shown) || names.size < MAX_NAMES ? shown : OTHERS;
  names.set(under, (names.get(under) ?? 0) + 1);
};

const mostFirst = (names: ReadonlyMap<string, number>): readonly (readonly [string, number])[] =>
  [...names].sort((a, b) => b[1] - a[1]);
