import { createHash } from 'node:crypto';
import { type Finding, printable, type Report } from '../formats/format.ts';
import type { BadDigest } from '../policy/known-bad.ts';
import { type Lineage, NO_LINEAGE } from '../policy/lineage.ts';
import type { Facts } from '../policy/types.ts';
import { datasetOf, NO_DATASET } from './dataset.ts';
import { UNEXPLAINED } from './explain.ts';
import { shadowing } from './shadow.ts';
import type { ListedFile, RepoAt, Requester } from './types.ts';

const NOTHING_YET: Pick<Facts, 'coverage' | 'findings' | 'convertible' | 'dataset'> = {
  coverage: { state: 'opaque', bytesInspected: 0, bytesTotal: 0, reason: 'not inspected yet' },
  findings: [],
  convertible: false,
  dataset: NO_DATASET,
};

/** Joins what is known about a file and who asks for it. Without a report: the facts of the early decision. */
export const joinFacts = (
  repo: RepoAt,
  file: ListedFile,
  who: Requester,
  actor: string,
  known: {
    readonly sha256?: string;
    readonly report?: Report;
    readonly explainedBy?: Facts['explainedBy'];
    readonly lineage?: Lineage;
  },
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
      : {
          coverage: report.coverage,
          findings: [...report.findings, ...ofTheRepo(repo, file)],
          convertible: report.plan !== undefined,
          dataset: datasetOf(report),
        }),
    explainedBy: known.explainedBy ?? UNEXPLAINED,
    lineage: known.lineage ?? NO_LINEAGE,
    upstream: repo.upstream,
    requester: { id: actor, team: who.team, environment: who.environment, teamFrom: who.teamFrom },
    client: who.client,
    releases: [],
  };
};

/** What a file's place in its repo makes of it, which its bytes alone do not tell. */
const ofTheRepo = (repo: RepoAt, file: ListedFile): readonly Finding[] => {
  const module = repo.repo.startsWith('models/') ? shadowing(file.path) : undefined;
  if (module === undefined) return [];
  return [
    {
      rule: 'repo.shadows-module',
      severity: 'high',
      message: `Python would import this file in the place of ${module}`,
      where: { path: [], offset: 0 },
      evidence: module,
      refs: ['CWE-427', 'LLM03:2025', 'AML.T0010'],
    },
  ];
};

/** The facts with what the admin's signed list says of their digest: a critical finding before all others. */
export const withKnownBad = (facts: Facts, listed: BadDigest | undefined): Facts =>
  listed === undefined ? facts : { ...facts, findings: [knownBad(listed), ...facts.findings] };

const knownBad = ({ name, source }: BadDigest): Finding => ({
  rule: 'known-bad.digest',
  severity: 'critical',
  message: `this file is on the list of known-bad digests as ${printable(name)}`,
  where: { path: [], offset: 0 },
  evidence: printable(source),
  refs: ['CWE-506', 'LLM03:2025', 'LLM04:2025', 'AML.T0010', 'AML.T0018', 'NISTAML.05'],
});

/** sha256 over the facts' JSON; fields are always written in the same order, so equal facts have equal digests. */
export const factsDigest = (facts: Facts): string => createHash('sha256').update(JSON.stringify(facts)).digest('hex');
