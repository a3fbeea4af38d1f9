import { WeighbridgeError } from '../../errors.ts';
import type { Facts, Release } from '../../policy/types.ts';
import type { KeptRelease } from '../../store/tables.ts';
import type { Records } from '../../store/types.ts';
import { nothingNew } from './findings.ts';

/** A release with its id. */
export type Filed = KeptRelease & { readonly id: string };

/** Every release that was asked for or runs by itself, in memory and in the records. */
export type ReleaseBook = {
  find(id: string): Filed | undefined;
  /** All of them, the newest first. */
  list(): readonly Filed[];
  /** What lifts refusals of these facts: for these bytes or this place, and no finding is new. */
  covering(facts: Facts): readonly Release[];
  /** Keeps it, durably. In memory it counts `before` it is on the disk or after: a refusal must not wait, a grant must. */
  file(release: Filed, counts: 'before' | 'after'): Promise<Filed>;
  /** Runs one change at a time, so that none is made of what another one has replaced. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
};

/** Releases kept, also those that have ended: a second of reading at the start. */
const MAX_RELEASES = 100_000;
const PAGE = 1_000;
const NONE: readonly Release[] = [];

/** Loads the releases kept in `records`, of which nobody else may write the table. */
export const openReleases = async (records: Records): Promise<ReleaseBook> => {
  const kept = new Map<string, Filed>();
  /** Ids of those that may lift something, by what they are bound to. */
  const lifting = new Map<string, Set<string>>();

  const remember = (release: Filed): void => {
    kept.set(release.id, release);
    const place = boundTo(release.artefact);
    const ids = lifting.get(place) ?? new Set<string>();
    if (mayLift(release)) lifting.set(place, ids.add(release.id));
    else if (ids.delete(release.id) && ids.size === 0) lifting.delete(place);
  };
  for (let after = ''; ; ) {
    const page = await records.list('release', '', PAGE, after);
    for (const { key, value } of page) remember({ ...value, id: key });
    after = page.at(-1)?.key ?? '';
    if (page.length < PAGE) break;
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    find: (id) => kept.get(id),
    list: () => [...kept.values()].sort((a, b) => b.at - a.at),
    covering({ artefact, findings }) {
      if (lifting.size === 0) return NONE;
      const { sha256: _, ...place } = artefact;
      const ids = [...(lifting.get(boundTo(artefact)) ?? []), ...(lifting.get(boundTo(place)) ?? [])];
      const found = [...new Set(ids)].flatMap((id) => kept.get(id) ?? []);
      return found.filter((release) => nothingNew(release.findings, findings)).map(asLifting);
    },
    async file(release, counts) {
      if (!kept.has(release.id) && kept.size >= MAX_RELEASES)
        throw new WeighbridgeError('LIMIT_EXCEEDED', `there are ${MAX_RELEASES} releases already`);
      const { id, ...value } = release;
      if (counts === 'before') remember(release);
      await records.put('release', id, value, true);
      if (counts === 'after') remember(release);
      return release;
    },
    inTurn(work) {
      const done = last.then(work);
      last = done.catch(() => undefined);
      return done;
    },
  };
};

/** The bytes, or the place where they are not known. */
const boundTo = ({ ecosystem, repo, commit, path, sha256 = '' }: KeptRelease['artefact']): string =>
  sha256 === '' ? [ecosystem, repo, commit, path].join('\n') : sha256;

const mayLift = ({ state }: KeptRelease): boolean => state === 'active' || state === 'waiting' || state === 'released';

const asLifting = ({ id, rules, state, at, expiresAt = 0 }: Filed): Release =>
  state === 'active' ? { id, rules, until: expiresAt } : { id, rules, heldSince: at };
