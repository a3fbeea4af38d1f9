import { randomBytes } from 'node:crypto';
import type { LogSearch } from '../../audit/log-search.ts';
import type { AccessLog } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import { lifeOf } from '../../identity/terms.ts';
import { readFacts } from '../../policy/facts-schema.ts';
import type { Facts, PolicySet } from '../../policy/types.ts';
import type { Act } from '../../store/tables.ts';
import type { Records } from '../../store/types.ts';
import type { ByWhom } from '../token-office.ts';
import type { Filed, ReleaseBook } from './book.ts';
import { fingerprints } from './findings.ts';
import { enterStep, personOf } from './steps.ts';

/** Where releases are asked for and decided. */
export type ReleaseDesk = {
  readonly book: ReleaseBook;
  readonly records: Records;
  readonly log: AccessLog;
  readonly search: Pick<LogSearch, 'search'>;
  /** The policies in force. */
  readonly policies: () => PolicySet;
  /** Who signed them, as callers are named. */
  readonly signers: () => readonly string[];
};

/** What somebody wants to be released, as written. */
export type WantedRelease = {
  /** Id of the request that was refused. */
  readonly request: string;
  readonly reason: string;
  readonly owner?: string | undefined;
  /** `30d`, `12h`. */
  readonly expires?: string | undefined;
  /** Some of the rules that refuse; all of them when left out. */
  readonly rules?: readonly string[] | undefined;
};

/** Who asks for it. Whoever is not `trusted` may ask only for what was refused to itself. */
export type Asking = ByWhom & { readonly trusted: boolean };

const DEFAULT_LIFE = '30d';
const DAY = 86_400_000;
/** Requests of one caller that wait to be decided. */
const MAX_WAITING = 100;
/** Comments and approvals of one release. */
const MAX_ACTS = 100;
/** Entries of one request that are looked through. */
const MAX_ENTRIES = 1_000;

/**
 * Asks for a release from the refusal of a request, with its facts and the policies in force now. One that waits already for
 * the same is answered with that one. Throws NOT_FOUND when the log has no such refusal, REQUEST_INVALID where nothing
 * refuses it any more, or the policies let nobody release it.
 */
export const requestRelease = async (desk: ReleaseDesk, wanted: WantedRelease, by: Asking): Promise<Filed> => {
  const { facts, digest } = await refusedFacts(desk, wanted.request, by);
  return desk.book.inTurn(async () => {
    const release = draft(desk, wanted, by, facts, digest);
    const same = desk.book.list().find((one) => one.state === 'requested' && isSame(one, release));
    if (same !== undefined) return same;
    const waiting = desk.book.list().filter(({ state, by: who }) => state === 'requested' && who === release.by);
    if (waiting.length >= MAX_WAITING)
      throw new WeighbridgeError('LIMIT_EXCEEDED', `${MAX_WAITING} requests of this caller wait already`);
    await enterStep(desk.log, 'quarantine.requested', release, by, { needed: needed(desk, release) });
    return desk.book.file(release, 'after');
  });
};

const draft = (desk: ReleaseDesk, wanted: WantedRelease, by: Asking, facts: Facts, digest: string): Filed => {
  const set = desk.policies();
  const { ecosystem, repo, commit, path, sha256 } = facts.artefact;
  const now = Date.now();
  const life = lifeOf(wanted.expires ?? DEFAULT_LIFE) ?? Number.POSITIVE_INFINITY;
  if (life > set.release.days * DAY)
    throw new WeighbridgeError('REQUEST_INVALID', `expires: the policies let a release last ${set.release.days} days`);
  const who = desk.log.pseudonym(by.name);
  return {
    id: `w-${randomBytes(6).toString('hex')}`,
    state: 'requested',
    // Before its content is known, only its place is.
    artefact: { ecosystem, repo, commit, path, ...(facts.stage === 'content' && { sha256 }) },
    rules: rulesOf(set, facts, wanted.rules),
    findings: fingerprints(facts.findings),
    facts: digest,
    policySet: set.digest,
    reason: wanted.reason,
    owner: wanted.owner ?? by.name,
    by: who,
    at: now,
    expiresAt: now + life,
    approvals: [],
    comments: [],
  };
};

const isSame = (one: Filed, other: Filed): boolean =>
  JSON.stringify([one.artefact, one.rules, one.findings]) ===
  JSON.stringify([other.artefact, other.rules, other.findings]);

const rulesOf = (set: PolicySet, facts: Facts, wanted: readonly string[] | undefined): readonly string[] => {
  const refusing = set.refusing({ ...facts, releases: [] }, Date.now());
  const invalid = (why: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', why);
  if (refusing.length === 0)
    throw invalid(
      'no rule of the policies in force refuses it: ask for the file again (orders of admins are not released from)',
    );
  const fixed = refusing.find(({ action }) => !set.release.lifts.includes(action));
  if (fixed !== undefined) throw invalid(`${fixed.rule} says ${fixed.action}, which the policies let nobody lift`);
  const names = [...new Set(refusing.map(({ rule }) => rule))].sort();
  const strange = wanted?.find((rule) => !names.includes(rule));
  if (strange !== undefined) throw invalid(`rules: ${strange} does not refuse it; there is ${names.join(', ')}`);
  return wanted === undefined || wanted.length === 0 ? names : [...new Set(wanted)].sort();
};

/** What was refused to the request of this id. */
const refusedFacts = async (
  { search, records, log }: ReleaseDesk,
  request: string,
  { name, trusted }: Asking,
): Promise<{ readonly facts: Facts; readonly digest: string }> => {
  const { entries } = await search.search({ request }, { limit: MAX_ENTRIES });
  const own = log.pseudonym(name);
  for (const { entry } of entries) {
    const { action } = entry.decision ?? {};
    const refused = action === 'quarantine' || action === 'deny';
    if (!refused || entry.evidence === undefined || !(trusted || entry.actor === own)) continue;
    const kept = await records.get('facts', entry.evidence.facts);
    if (kept !== undefined) return { facts: readFacts(kept), digest: entry.evidence.facts };
  }
  const whose = trusted ? '' : ' of this caller';
  throw new WeighbridgeError('NOT_FOUND', `the log has no refusal${whose} with the request id ${request}`);
};

/**
 * Approves a request. Once as many people have as the policies in force ask for, it is released. Throws FORBIDDEN for
 * somebody who may not: whoever asked for it, wrote the policies (where the set says so), or has approved it already.
 */
export const approveRelease = (desk: ReleaseDesk, id: string, text: string, by: ByWhom): Promise<Filed> =>
  desk.book.inTurn(async () => {
    const release = waitingOne(desk, id);
    const who = desk.log.pseudonym(by.name);
    mayApprove(desk, release, who);
    const approved: Filed = { ...release, approvals: [...release.approvals, act(who, text)] };
    const people = needed(desk, release);
    await enterStep(desk.log, 'quarantine.approved', approved, by, { needed: people, comment: text });
    if (approved.approvals.length < people) return desk.book.file(approved, 'after');
    const released: Filed = { ...approved, state: 'active' };
    await enterStep(desk.log, 'quarantine.released', released, by);
    return desk.book.file(released, 'after');
  });

const waitingOne = ({ book }: ReleaseDesk, id: string): Filed => {
  const release = findRelease(book, id);
  if (release.state === 'requested' && (release.expiresAt ?? 0) > Date.now()) return release;
  throw new WeighbridgeError('REQUEST_INVALID', `${id} does not wait for an approval: it is ${release.state}`);
};

/** Throws NOT_FOUND when there is none of this id. */
export const findRelease = (book: ReleaseBook, id: string): Filed => {
  const release = book.find(id);
  if (release !== undefined) return release;
  throw new WeighbridgeError('NOT_FOUND', `there is no release ${id}`);
};

const mayApprove = ({ log, policies, signers }: ReleaseDesk, release: Filed, who: string): void => {
  const { release: terms, rules } = policies();
  const forbidden = (why: string): WeighbridgeError => new WeighbridgeError('FORBIDDEN', why);
  if (release.approvals.some((one) => one.by === who)) throw forbidden('the same person cannot approve twice');
  if (terms.differ.includes('requester') && release.by === who)
    throw forbidden(
      'whoever asked for a release may not approve it: the policies want somebody else, with a token of their own ' +
        '(weighbridge token create --role approver), unless they say releases: { differ: [] }',
    );
  const owners = rules.flatMap(({ name, owner }) =>
    owner !== undefined && release.rules.includes(name) ? [owner] : [],
  );
  const authors = [...terms.authors, ...owners, ...signers()].map(log.pseudonym);
  if (terms.differ.includes('author') && authors.includes(who))
    throw forbidden('whoever wrote the policies may not approve what they refuse: the policies want somebody else');
};

/** How many people must approve, by the policies in force now. */
export const needed = ({ policies }: Pick<ReleaseDesk, 'policies'>, { rules }: Pick<Filed, 'rules'>): number => {
  const set = policies();
  const asked = set.rules.flatMap(({ name, approvals = 1 }) => (rules.includes(name) ? [approvals] : []));
  return Math.max(set.release.approvals, ...asked);
};

/** Says no to a request, or to what a rule would let go by itself. */
export const refuseRelease = (desk: ReleaseDesk, id: string, text: string, by: ByWhom): Promise<Filed> =>
  end(desk, id, text, by, ['requested', 'waiting', 'released'], 'refused');

/** Ends a release that is in force, at once. */
export const revokeRelease = (desk: ReleaseDesk, id: string, text: string, by: ByWhom): Promise<Filed> =>
  end(desk, id, text, by, ['active'], 'revoked');

const end = (
  { book, log }: ReleaseDesk,
  id: string,
  text: string,
  by: ByWhom,
  from: readonly Filed['state'][],
  to: 'refused' | 'revoked',
): Promise<Filed> =>
  book.inTurn(async () => {
    const release = findRelease(book, id);
    if (!from.includes(release.state))
      throw new WeighbridgeError('REQUEST_INVALID', `${id} cannot be ${to}: it is ${release.state}`);
    const ended = await book.file({ ...release, state: to, ended: act(log.pseudonym(by.name), text) }, 'before');
    await enterStep(log, `quarantine.${to}`, ended, by, { comment: text });
    return ended;
  });

export const commentRelease = ({ book, log }: ReleaseDesk, id: string, text: string, by: ByWhom): Promise<Filed> =>
  book.inTurn(async () => {
    const release = findRelease(book, id);
    if (release.comments.length >= MAX_ACTS) throw new WeighbridgeError('LIMIT_EXCEEDED', `${MAX_ACTS} comments`);
    const said = { ...release, comments: [...release.comments, act(log.pseudonym(by.name), text)] };
    await enterStep(log, 'quarantine.commented', said, by, { comment: text });
    return book.file(said, 'after');
  });

/**
 * Asks and approves at once, where the policies let one person do both. Throws FORBIDDEN where they do not; the request then
 * waits for somebody else.
 */
export const releaseAtOnce = async (desk: ReleaseDesk, wanted: WantedRelease, by: Asking): Promise<Filed> => {
  const asked = await requestRelease(desk, wanted, by);
  return approveRelease(desk, asked.id, wanted.reason, by);
};

const act = (by: string, text: string): Act => ({ by, at: Date.now(), text });

/** A release with the people named, for those who may see them. */
export const shownRelease = async (desk: ReleaseDesk, release: Filed) => {
  const name = (by: string): Promise<string> => personOf(desk.records, by);
  const named = (acts: readonly Act[]) => Promise.all(acts.map(async (one) => ({ ...one, by: await name(one.by) })));
  const { approvals, comments, ended, findings: _, ...rest } = release;
  return {
    ...rest,
    by: await name(release.by),
    needed: needed(desk, release),
    approvals: await named(approvals),
    comments: await named(comments),
    ...(ended !== undefined && { ended: { ...ended, by: await name(ended.by) } }),
  };
};
