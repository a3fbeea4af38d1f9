import type { ReadEntry } from '../audit/reader.ts';
import { type Outcome, outcomeOf, type Replayed } from '../policy/difference.ts';
import type { PolicySet } from '../policy/types.ts';
import type { Kept } from './kept.ts';
import { createMemo } from './memo.ts';
import { isOrderRule } from './orders/restrain.ts';

/** Facts whose outcomes are remembered: some 300 bytes each. */
const MAX_REMEMBERED = 50_000;
/** Provisional decisions whose final one has not been read: more downloads than run at a time. */
const MAX_PENDING = 20_000;

/** One past request, decided by both sets; what it lacks to be decided stands in its place. */
export type Replay = {
  readonly of: ReadEntry;
  readonly replayed: Replayed | 'facts not kept' | 'facts not readable' | 'not decided then';
};

/** `undefined`: what was decided then, by the policies of that moment. */
export type Before = PolicySet | undefined;

/**
 * Decides the requests of a log again: those whose decision was entered with its facts, each once, with the final facts of a
 * download that began provisionally. Waivers count as they do at `now` (ms since the epoch). Streams: memory is bounded.
 */
export async function* replay(
  entries: AsyncIterable<ReadEntry>,
  kept: Kept,
  before: Before,
  after: PolicySet,
  now: number,
): AsyncGenerator<Replay> {
  const remembered = createMemo<Replayed | 'facts not kept' | 'facts not readable'>(MAX_REMEMBERED);

  const decide = (digest: string): Replayed | 'facts not kept' | 'facts not readable' => {
    const known = remembered.get(digest);
    if (known !== undefined) return known;
    const decided = decideAnew(digest);
    remembered.set(digest, decided);
    return decided;
  };
  const decideAnew = (digest: string): Replayed | 'facts not kept' | 'facts not readable' => {
    try {
      const facts = kept.facts(digest);
      if (facts === undefined) return 'facts not kept';
      const next = outcomeOf(after.decide(facts, now));
      const { team } = facts.requester;
      return {
        before: before === undefined ? next : outcomeOf(before.decide(facts, now)),
        after: next,
        team,
        client: facts.client.name,
      };
    } catch {
      return 'facts not readable';
    }
  };

  for await (const one of settled(entries)) {
    const { decision, evidence } = one.entry;
    if (evidence === undefined) continue;
    const replayed = decide(evidence.facts);
    // An order stood above the policies, and stands above any others.
    if (decision !== undefined && isOrderRule(decision.rule) && typeof replayed !== 'string')
      yield { of: one, replayed: { ...replayed, before: replayed.after } };
    else if (before !== undefined || typeof replayed === 'string') yield { of: one, replayed };
    else if (decision === undefined) yield { of: one, replayed: 'not decided then' };
    else yield { of: one, replayed: { ...replayed, before: asEntered(decision, replayed.after) } };
  }
}

/** Entries do not name obligations, so that only the action and the rule of that time are compared. */
const asEntered = (
  { action, rule }: { readonly action: Outcome['action']; readonly rule: string },
  after: Outcome,
): Outcome => ({
  action,
  rule,
  obligations: after.obligations,
});

/** Each request's decision once: a provisional one gives way to that of its outcome. */
export async function* settled(entries: AsyncIterable<ReadEntry>): AsyncGenerator<ReadEntry> {
  const pending = new Map<string, ReadEntry>();
  for await (const one of entries) {
    const { kind, evidence, decision, request, artefact } = one.entry;
    // A download is asked about and listed as well: it counts once.
    if (evidence === undefined || kind === 'artefact.head' || kind === 'listing') continue;
    const key = `${request?.id ?? one.index}\n${artefact?.path ?? ''}`;
    if (kind === 'artefact.outcome') {
      if (pending.delete(key)) yield one;
    } else if (decision?.provisional === true) {
      pending.set(key, one);
      for (const [oldest, entry] of pending) {
        if (pending.size <= MAX_PENDING) break;
        pending.delete(oldest);
        yield entry;
      }
    } else yield one;
  }
  yield* pending.values();
}
