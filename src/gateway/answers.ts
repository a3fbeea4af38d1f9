import { createHash } from 'node:crypto';
import type { AccessLog, Entry } from '../audit/types.ts';
import { belonging } from '../identity/team.ts';
import type { Decision } from '../policy/types.ts';
import type { Blobs } from '../store/types.ts';
import { briefly } from './brief.ts';
import type { Conversions } from './conversions.ts';
import type { Derivations } from './derivations.ts';
import type { Intakes } from './intake.ts';
import { type Judge, type Judgement, refusalText, refuses } from './judge.ts';
import type { RunningBodies } from './orders/running.ts';
import type { Answer, ByteRange, Described, ListedFile, RepoAt, Requester } from './types.ts';
import type { Views } from './view.ts';
import type { Timings } from './waiting.ts';
import type { Scales } from './weigh.ts';

/** The parts of the gateway that the ways to answer are made of. */
export type Parts = {
  readonly blobs: Blobs;
  readonly log: AccessLog;
  readonly running: RunningBodies;
  readonly judge: Judge;
  readonly intakes: Intakes;
  readonly scales: Scales;
  readonly conversions: Conversions;
  readonly derivations: Derivations;
  readonly views: Views;
  readonly timings: Timings;
};

/** A file as upstream lists it: its ETag is its LFS sha256 or its git blob sha1. */
export const described = (file: ListedFile): Described => ({
  path: file.path,
  size: file.size,
  etag: file.sha256 ?? file.oid,
  ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
});

/** Who asked for what, as every entry begins. */
export const subject = (
  log: AccessLog,
  repo: RepoAt,
  path: string,
  who: Requester,
): Pick<Entry, 'request' | 'actor' | 'team' | 'environment' | 'teamFrom' | 'client' | 'artefact'> => ({
  request: who.request,
  actor: log.pseudonym(who.identity),
  ...belonging(who),
  client: who.client,
  artefact: { ecosystem: repo.ecosystem, repo: repo.repo, commit: repo.commit, path },
});

/** A decision about an artefact of which nothing is served; of a refusal also what it was computed from, to ask for a release. */
export const told = (decision: Decision): Pick<Entry, 'decision' | 'evidence'> => ({
  decision: briefly(decision),
  ...(decision.evidence !== undefined && refuses(decision) && { evidence: decision.evidence }),
});

/** What an outcome says was served; bytes and completeness are filled in when it ends. */
export const serving = (
  release: 'cached' | 'sealed' | 'held' | 'transcoded',
  range: ByteRange,
  size: number,
  convertedFrom?: string,
): NonNullable<Entry['served']> => {
  const part = range.start !== 0 || range.end !== size;
  return {
    status: part ? 206 : 200,
    bytes: 0,
    release,
    complete: false,
    ...(part ? { range: `${range.start}-${range.end - 1}` } : {}),
    ...(convertedFrom === undefined ? {} : { convertedFrom }),
  };
};

/** The refusal of one file; a pickle that has a safetensors twin is refused with the twin's name. */
export const refusal = (views: Views, repo: RepoAt, path: string, decision: Decision, who: Requester): Answer => {
  const instead = decision.action === 'convert' ? views.instead(repo, path) : undefined;
  return { kind: 'refused', decision, text: refusalText(decision, who, instead) };
};

/** A refusal that is entered in the log first, as durably as an approval. */
export const enterRefusal = async (
  { log, views }: Parts,
  judgement: Judgement,
  repo: RepoAt,
  path: string,
  who: Requester,
): Promise<Answer> => {
  const served = { status: 403, release: 'refused' as const, bytes: 0, complete: true };
  await log.append({ ...judgement.entry, kind: 'artefact.decision', served });
  return refusal(views, repo, path, judgement.decision, who);
};

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
