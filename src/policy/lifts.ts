import type { Match } from './evaluate.ts';
import type { Action, Facts, ReleaseTerms } from './types.ts';
import type { Waiver } from './waivers.ts';

/** What takes refusals away for some facts, by its id. */
export type Lifts = {
  /** What lifts the refusal of this rule; undefined when nothing does, or when it is none. */
  match(match: Match): string | undefined;
  /** What lifts the default action. */
  default(action: Action): string | undefined;
};

type Terms = { readonly waivers: readonly Waiver[]; readonly release: ReleaseTerms };

/**
 * Waivers of the policy files that are live at `now` (ms since the epoch) and cover these facts, and the releases that came
 * with the facts. A waiver in a file may lift anything; a release what the set lets people lift.
 */
export const liftsOf = ({ waivers, release }: Terms, facts: Facts, now: number): Lifts => {
  const covering = waivers.filter((waiver) => now < waiver.ends && waiver.covers(facts));
  const granted = facts.releases.filter(({ until }) => until !== undefined && now < until);
  const clocks = facts.releases.filter(({ heldSince }) => heldSince !== undefined);

  const lifting = (rule: string, action: Action): string | undefined => {
    if (action !== 'quarantine' && action !== 'deny') return undefined;
    const waiver = covering.find(({ rules }) => rules.has(rule));
    if (waiver !== undefined) return waiver.id;
    return release.lifts.includes(action) ? granted.find(({ rules }) => rules.includes(rule))?.id : undefined;
  };
  return {
    match: ({ rule: { name, autoRelease }, action }) =>
      lifting(name, action) ??
      (action === 'quarantine' && autoRelease !== undefined
        ? clocks.find(({ rules, heldSince = now }) => rules.includes(name) && now >= heldSince + autoRelease)?.id
        : undefined),
    default: (action) => lifting('default', action),
  };
};
