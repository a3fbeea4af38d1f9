import { createHash } from 'node:crypto';
import type { AccessLog } from '../../audit/types.ts';
import type { Facts, PolicySet } from '../../policy/types.ts';
import type { Filed, ReleaseBook } from './book.ts';
import { fingerprints, nothingNew } from './findings.ts';
import { enterStep } from './steps.ts';

/** How often ends are looked for, ms. What has ended lifts nothing from that moment on; this only enters it in the log. */
const SWEEP_MS = 5_000;

/** The clocks of rules that let go by themselves, and the ends of releases. */
export type Clock = {
  /** Begins to count for what these rules hold, unless it counts already; a new finding begins anew. */
  hold(facts: Facts, digest: string, set: PolicySet, rules: readonly string[]): Promise<void>;
  /** Enters what has ended or been let go since. */
  sweep(): Promise<void>;
  close(): Promise<void>;
};

type Deps = { readonly book: ReleaseBook; readonly log: AccessLog; readonly policies: () => PolicySet };

/** Starts the clock. `now` in ms since the epoch. */
export const startClock = ({ book, log, policies }: Deps, now: () => number = Date.now): Clock => {
  const begin = (facts: Facts, digest: string, set: PolicySet, rule: string): Promise<void> =>
    book.inTurn(async () => {
      const held = holdOf(facts, digest, set, rule, now());
      if (counts(book.find(held.id), facts)) return;
      await enterStep(log, 'quarantine.held', held, undefined, { after: autoReleaseOf(set, rule) / 1000 });
      await book.file(held, 'after');
    });

  const end = (release: Filed): Promise<void> =>
    book.inTurn(async () => {
      const current = book.find(release.id);
      if (current === undefined || current.state !== release.state) return;
      const released = current.state === 'waiting';
      const ended: Filed = { ...current, state: released ? 'released' : 'expired' };
      await enterStep(log, released ? 'quarantine.released' : 'quarantine.expired', ended, undefined);
      await book.file(ended, 'after');
    });

  const sweep = async (): Promise<void> => {
    const set = policies();
    for (const release of book.list()) if (isOver(release, set, now())) await end(release);
  };

  let sweeping = Promise.resolve();
  const timer = setInterval(() => {
    // What cannot be entered now is entered at the next look.
    sweeping = sweep().catch(() => undefined);
  }, SWEEP_MS);
  timer.unref();
  return {
    async hold(facts, digest, set, rules) {
      for (const rule of rules) {
        const { id } = holdOf(facts, digest, set, rule, 0);
        if (!counts(book.find(id), facts)) await begin(facts, digest, set, rule);
      }
    },
    sweep,
    async close() {
      clearInterval(timer);
      await sweeping;
    },
  };
};

/** Whether it is counted for these findings, or somebody has said no. */
const counts = (before: Filed | undefined, { findings }: Facts): boolean =>
  before !== undefined && (before.state === 'refused' || nothingNew(before.findings, findings));

const autoReleaseOf = ({ rules }: PolicySet, name: string): number =>
  rules.find((rule) => rule.name === name)?.autoRelease ?? Number.POSITIVE_INFINITY;

/** In the order of ids a clock is found again: one for each rule and what it holds. */
const holdOf = (facts: Facts, digest: string, set: PolicySet, rule: string, at: number): Filed => {
  const { ecosystem, repo, commit, path, sha256 } = facts.artefact;
  const bytes = facts.stage === 'content' && sha256 !== '';
  const place = bytes ? [sha256] : [ecosystem, repo, commit, path];
  const id = createHash('sha256')
    .update(JSON.stringify([rule, ...place]))
    .digest('hex');
  return {
    id: `h-${id.slice(0, 12)}`,
    state: 'waiting',
    artefact: { ecosystem, repo, commit, path, ...(bytes && { sha256 }) },
    rules: [rule],
    findings: fingerprints(facts.findings),
    facts: digest,
    policySet: set.digest,
    reason: `held by ${rule}, which lets go by itself`,
    owner: '',
    by: '',
    at,
    approvals: [],
    comments: [],
  };
};

const isOver = ({ state, at, rules, expiresAt }: Filed, set: PolicySet, now: number): boolean => {
  if (state === 'active' || state === 'requested') return expiresAt !== undefined && expiresAt <= now;
  return state === 'waiting' && rules.every((rule) => at + autoReleaseOf(set, rule) <= now);
};
