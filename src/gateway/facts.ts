import { createHash } from 'node:crypto';
import type { Report } from '../formats/format.ts';
import type { Facts } from '../policy/types.ts';
import type { ListedFile, RepoAt, Requester } from './types.ts';

const NOTHING_YET: Pick<Facts, 'coverage' | 'findings' | 'convertible'> = {
  coverage: { state: 'opaque', bytesInspected: 0, bytesTotal: 0, reason: 'not inspected yet' },
  findings: [],
  convertible: false,
};

/** Joins what is known about a file and who asks for it. Without a report: the facts of the early decision. */
export const joinFacts = (
  repo: RepoAt,
  file: ListedFile,
  who: Requester,
  actor: string,
  known: { readonly sha256?: string; readonly report?: Report },
): Facts => {
  const { report } = known;
  const [, namespace = ''] = repo.repo.split('/');
  return {
    stage: report === undefined ? 'request' : 'content',
    artefact: {
      ecosystem: repo.ecosystem,
      repo: repo.repo,
      namespace: repo.repo.split('/').length > 2 ? namespace : '',
      commit: repo.commit,
      path: file.path,
      size: file.size,
      sha256: known.sha256 ?? file.sha256 ?? '',
      format: report?.format ?? '',
      content: report?.content ?? '',
    },
    ...(report === undefined
      ? NOTHING_YET
      : { coverage: report.coverage, findings: report.findings, convertible: report.plan !== undefined }),
    upstream: repo.upstream,
    requester: { id: actor, team: who.team },
    client: who.client,
  };
};

/** sha256 over the facts' JSON; fields are always written in the same order, so equal facts have equal digests. */
export const factsDigest = (facts: Facts): string => createHash('sha256').update(JSON.stringify(facts)).digest('hex');
