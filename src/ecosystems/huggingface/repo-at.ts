import { createHash } from 'node:crypto';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { createMemo, createSingleFlight } from '../../gateway/memo.ts';
import type { RepoAt } from '../../gateway/types.ts';
import { within } from '../../gateway/waiting.ts';
import type { Records } from '../../store/types.ts';
import type { Upstream, UpstreamAnswer } from '../../upstream/types.ts';
import type { Caller } from './caller.ts';
import { createHolding, type Held } from './holding.ts';
import { type Info, readInfo } from './info.ts';
import { apiUrl, fileUrl, type RepoName } from './urls.ts';

/** How long a branch is taken to point where it did, in ms. */
const BRANCH_LIFE = 5_000;
/** The same for a commit of a public repo, whose files cannot change; what can is its privacy. */
const COMMIT_LIFE = 60_000;
/** The same for what is remembered while the Hub is away. */
const AWAY_LIFE = 30_000;
/** How long the Hub may think before what is remembered is taken instead, in ms. Clients give up after 10 s. */
const PATIENCE = 5_000;
/** How long the Hub's word that a caller may read a private or gated repo is taken, in ms. */
const LEAVE_LIFE = 10_000;
/** How long a token that the Hub has taken once is not shown to it again for a public repo, in ms. */
const TOKEN_LIFE = 300_000;
/** Repos, files of them, and callers, kept in memory. A listing of 10,000 files is about 10 MB. */
const MAX_REPOS = 500;
const MAX_FILES = 300_000;
const MAX_LEAVES = 10_000;
/** Records of a repo that are read in one go when they are forgotten; one may be large. */
const FORGOTTEN_AT_ONCE = 20;
/** Files of a gated repo that everybody may read. */
const OPEN_FILES = new Set(['README.md', '.gitattributes']);

/** A repo at a commit, or the Hub's error to be handed on. */
export type Found =
  | { readonly kind: 'repo'; readonly info: Info; readonly at: RepoAt }
  | { readonly kind: 'error'; readonly answer: UpstreamAnswer };

export type Repos = {
  /** The repo at a revision with this caller's rights. Throws UPSTREAM_UNREACHABLE when nothing is known of it here. */
  at(repo: RepoName, revision: string, caller: Caller): Promise<Found>;
  /** The Hub's error when this caller may not read `path` now; undefined when it may. */
  barred(info: Info, path: string, caller: Caller): Promise<UpstreamAnswer | undefined>;
  /** The Hub's error for this file and caller, asked for now; undefined when it has none. */
  errorFor(info: Info, path: string, caller: Caller): Promise<UpstreamAnswer | undefined>;
  /** True when the repo was public when it was last looked at, within the memory of this process. */
  isPublic(repo: RepoName): boolean;
};

/** Resolves repos, once and briefly for branches; what is public is remembered for when the Hub is away. */
export const createRepos = (upstream: Upstream, records: Records): Repos => {
  const host = new URL(upstream.origin.url).host;
  const held = createHolding(MAX_FILES);
  let kept = createMemo<string>(MAX_REPOS);
  const open = createMemo<boolean>(MAX_REPOS);
  const leaves = createMemo<number>(MAX_LEAVES);
  const tokens = createMemo<number>(MAX_LEAVES);
  const once = createSingleFlight<Info | UpstreamAnswer>();

  const at: Repos['at'] = async (repo, revision, caller) => {
    const place = `${repo.kind}/${repo.name}@${revision}`;
    const shared = isTaken(caller) ? alive(held.get(place)) : undefined;
    const known = shared ?? alive(held.get(`${caller.scope}\n${place}`));
    const found = known ?? (await once(`${caller.scope}\n${place}`, () => look(repo, revision, caller)));
    if ('status' in found) return { kind: 'error', answer: found };
    return { kind: 'repo', info: found, at: repoAt(found, caller) };
  };

  /** True for a caller without a token, or with one that the Hub knows: it turns a wrong one away everywhere. */
  const isTaken = ({ scope }: Caller): boolean => scope === '' || (tokens.get(scope) ?? 0) > performance.now();

  const look = async (repo: RepoName, revision: string, caller: Caller): Promise<Info | UpstreamAnswer> => {
    const url = apiUrl(repo, ['revision', revision], 'blobs=true');
    const place = `${repo.kind}/${repo.name}@${revision}`;
    const asking = unlessAway(upstream.request({ method: 'GET', url, headers: caller.credentials }));
    const inTime = await within(asking, PATIENCE);
    if (inTime === undefined || isFault(inTime) || inTime.status === 429) {
      const remembered = await recall(repo, revision);
      if (remembered !== undefined) return keepWhileAway(remembered, repo, revision, caller, asking);
    }
    const answer = await asking;
    if (isFault(answer)) throw answer;
    if (answer.status !== 200) {
      if (isHidden(answer)) forget(repo);
      return answer;
    }
    if (caller.scope !== '') tokens.set(caller.scope, performance.now() + TOKEN_LIFE);
    const digest = digestOf(answer.body);
    const before = [held.get(place), held.get(`${caller.scope}\n${place}`)].find((one) => one?.digest === digest);
    const info = before?.info ?? readInfo(answer.body, repo, host);
    if (info.restricted) for (const name of [repo, info.repo]) forget(name);
    else remember(info, repo, revision, answer);
    hold(info, digest, repo, revision, caller);
    return info;
  };

  const keepWhileAway = (
    info: Info,
    repo: RepoName,
    revision: string,
    caller: Caller,
    asking: Promise<unknown>,
  ): Info => {
    asking.catch(() => undefined);
    const place = `${repo.kind}/${repo.name}@${revision}`;
    const mine = isTaken(caller) ? place : `${caller.scope}\n${place}`;
    held.set(mine, { info, until: performance.now() + AWAY_LIFE });
    return info;
  };

  const hold = (info: Info, digest: string, repo: RepoName, revision: string, caller: Caller): void => {
    const place = `${repo.kind}/${repo.name}@${revision}`;
    const life = revision === info.commit && !info.restricted ? COMMIT_LIFE : BRANCH_LIFE;
    held.set(info.restricted ? `${caller.scope}\n${place}` : place, { info, digest, until: performance.now() + life });
    for (const { kind, name } of [repo, info.repo]) open.set(`${kind}/${name}`, !info.restricted);
  };

  const remember = (info: Info, repo: RepoName, revision: string, { status, body }: UpstreamAnswer): void => {
    const place = `huggingface/${repo.kind}/${repo.name}`;
    if (kept.get(`${place}@${revision}`) === info.commit) return;
    kept.set(`${place}@${revision}`, info.commit);
    const text = Buffer.from(body).toString('utf8');
    const work = [
      records.add('metadata', `${place}/info@${info.commit}`, { status, headers: {}, body: text, at: Date.now() }),
      records.put('revision', `${place}/${revision}`, { commit: info.commit, at: Date.now() }),
    ];
    // A store that cannot take it costs the answer while the Hub is away, not this one.
    Promise.all(work).catch(() => kept.delete(`${place}@${revision}`));
  };

  /** What was public and is not any more must not be served on the word of yesterday, at no revision. */
  const forget = ({ kind, name }: RepoName): void => {
    held.deleteShared(`${kind}/${name}@`);
    if (open.get(`${kind}/${name}`) === false) return;
    open.set(`${kind}/${name}`, false);
    kept = createMemo<string>(MAX_REPOS);
    const place = `huggingface/${kind}/${name}/`;
    const work = [forgetAll(records, 'metadata', place), forgetAll(records, 'revision', place)];
    Promise.all(work).catch(() => open.delete(`${kind}/${name}`));
  };

  const recall = async (repo: RepoName, revision: string): Promise<Info | undefined> => {
    const place = `huggingface/${repo.kind}/${repo.name}`;
    const pointed = await records.get('revision', `${place}/${revision}`);
    const commit = pointed?.commit ?? revision;
    const stored = await records.get('metadata', `${place}/info@${commit}`);
    return stored === undefined ? undefined : readInfo(stored.body, repo, host);
  };

  const repoAt = (info: Info, caller: Caller): RepoAt => ({
    ecosystem: 'huggingface',
    repo: `${info.repo.kind}/${info.repo.name}`,
    commit: info.commit,
    files: info.files,
    upstream: info.upstream,
    fetch: ({ path, size }, start, end, signal, room) =>
      upstream.download(fileUrl(info.repo, info.commit, path), caller.credentials, { start, end, size }, signal, room),
  });

  const errorFor: Repos['errorFor'] = async (info, path, caller) => {
    const url = fileUrl(info.repo, info.commit, probe(info, path));
    const answer = await unlessAway(upstream.stat(url, caller.credentials));
    if (isFault(answer)) throw answer;
    return answer.status >= 400 ? answer : undefined;
  };

  const barred: Repos['barred'] = async (info, path, caller) => {
    if (!info.restricted) return undefined;
    const openly = OPEN_FILES.has(path);
    const leave = `${caller.scope}\n${info.repo.kind}/${info.repo.name}@${info.commit}\n${openly}`;
    if ((leaves.get(leave) ?? 0) > performance.now()) return undefined;
    const error = await errorFor(info, path, caller);
    if (error !== undefined && error.headers['x-error-code'] !== 'EntryNotFound') return error;
    leaves.set(leave, performance.now() + LEAVE_LIFE);
    return undefined;
  };

  return { at, barred, errorFor, isPublic: ({ kind, name }) => open.get(`${kind}/${name}`) ?? false };
};

/** The Hub's word that this caller may not know of the repo: of a public one it never says that. */
const isHidden = ({ headers, status }: UpstreamAnswer): boolean =>
  [401, 403, 404].includes(status) && ['RepoNotFound', 'GatedRepo'].includes(headers['x-error-code'] ?? '');

const forgetAll = async (records: Records, table: 'metadata' | 'revision', prefix: string): Promise<void> => {
  for (;;) {
    const found = await records.list(table, prefix, FORGOTTEN_AT_ONCE);
    for (const { key } of found) await records.delete(table, key);
    if (found.length < FORGOTTEN_AT_ONCE) return;
  }
};

/** Of an answer and the day, since an info says how many days old the repo is. */
const digestOf = (body: Uint8Array): string =>
  createHash('sha256')
    .update(body)
    .update(String(Math.floor(Date.now() / DAY)))
    .digest('hex');
const DAY = 86_400_000;

const alive = (held: Held | undefined): Info | undefined =>
  held !== undefined && held.until > performance.now() ? held.info : undefined;

/** The file that stands for `path` when rights are asked for: a converted file has no name upstream. */
const probe = (info: Info, path: string): string => {
  if (info.files.has(path)) return path;
  return [...info.files.keys()].find((other) => !OPEN_FILES.has(other)) ?? path;
};

/** The answer, or the fault of a Hub that is away: unreachable, or failing in spite of being asked again. */
export const unlessAway = async (answering: Promise<UpstreamAnswer>): Promise<UpstreamAnswer | WeighbridgeError> => {
  try {
    const answer = await answering;
    if (answer.status < 500) return answer;
    return new WeighbridgeError('UPSTREAM_UNREACHABLE', `the Hub answered ${answer.status}`, { status: answer.status });
  } catch (error) {
    if (isFault(error, 'UPSTREAM_UNREACHABLE')) return error;
    throw error;
  }
};
