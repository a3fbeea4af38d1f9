import type { LoggedEntry } from '../../audit/entry.ts';
import { readFacts } from '../../policy/facts-schema.ts';
import type { ReleaseDesk } from './desk.ts';
import { personOf } from './steps.ts';

/** Refusals that are looked through, the newest. */
const MAX_ENTRIES = 1_000;
/** Files of one answer. */
const MAX_HELD = 100;

/** A file that was held, and that nobody has asked for yet. */
export type Held = {
  /** The newest request that was refused: what a release is asked for by. */
  readonly request: string;
  readonly artefact: NonNullable<LoggedEntry['artefact']>;
  readonly rule: string;
  readonly reason: string;
  /** Who was refused it last. */
  readonly by: string;
  readonly team: string;
  /** ms since the epoch. */
  readonly at: number;
  /** How often it was refused among the newest refusals. */
  readonly requests: number;
};

type Refused = LoggedEntry & Required<Pick<LoggedEntry, 'artefact' | 'decision' | 'evidence' | 'request'>>;

/**
 * Files that were held since `since` (ms since the epoch), are held by the policies in force, and that no release is about;
 * the newest first, as far as the newest refusals in the log tell.
 */
export const heldUnasked = async (desk: ReleaseDesk, since: number): Promise<readonly Held[]> => {
  const { entries } = await desk.search.search({ decision: 'quarantine', from: since }, { limit: MAX_ENTRIES });
  const byPlace = new Map<string, { readonly newest: Refused; requests: number }>();
  for (const { entry } of entries) {
    if (!isRefusal(entry)) continue;
    const { ecosystem, repo, commit, path } = entry.artefact;
    const place = JSON.stringify([ecosystem, repo, commit, path]);
    const known = byPlace.get(place);
    if (known === undefined) byPlace.set(place, { newest: entry, requests: 1 });
    else known.requests += 1;
  }
  const held: Held[] = [];
  for (const { newest, requests } of byPlace.values()) {
    if (held.length >= MAX_HELD) break;
    if (!(await isHeld(desk, newest))) continue;
    const { actor = '', artefact, decision, request, team = '', time } = newest;
    const by = actor === '' ? '' : await personOf(desk.records, actor);
    const { reason, rule } = decision;
    held.push({ request: request.id, artefact, rule, reason, by, team, at: Date.parse(time), requests });
  }
  return held;
};

const isRefusal = (entry: LoggedEntry): entry is Refused =>
  entry.artefact !== undefined &&
  entry.decision !== undefined &&
  entry.evidence !== undefined &&
  entry.request !== undefined &&
  !entry.kind.startsWith('upload.');

/** Whether the policies in force still hold what was refused, and nobody has asked for these bytes or this place. */
const isHeld = async ({ book, policies, records }: ReleaseDesk, { evidence }: Refused): Promise<boolean> => {
  const kept = await records.get('facts', evidence.facts);
  if (kept === undefined) return false;
  const facts = readFacts(kept);
  const { ecosystem, repo, commit, path, sha256 } = facts.artefact;
  const asked = book
    .list()
    .some(({ artefact: one }) =>
      one.sha256 === undefined
        ? one.ecosystem === ecosystem && one.repo === repo && one.commit === commit && one.path === path
        : one.sha256 === sha256,
    );
  return !asked && policies().refusing({ ...facts, releases: [] }, Date.now()).length > 0;
};
