import type { Report } from '../formats/format.ts';
import { NO_LINEAGE } from '../policy/lineage.ts';
import type { Facts } from '../policy/types.ts';
import { datasetOf } from './dataset.ts';
import { UNEXPLAINED } from './explain.ts';

/** A file that comes from no upstream: of this machine, or uploaded. Its path is only what it is called. */
export type LocalFile = { readonly path: string; readonly size: number; readonly sha256: string };

/** The facts of a file that comes from no upstream. */
export const factsOfFile = (
  { path, size, sha256 }: LocalFile,
  report: Report,
  who: Pick<Facts, 'requester' | 'client'>,
  explainedBy: Facts['explainedBy'] = UNEXPLAINED,
): Facts => ({
  stage: 'content',
  artefact: {
    ecosystem: 'file',
    repo: '',
    namespace: '',
    commit: '',
    path,
    size,
    sha256,
    format: report.format,
    content: report.content,
  },
  coverage: report.coverage,
  findings: report.findings,
  convertible: report.plan !== undefined,
  dataset: datasetOf(report),
  explainedBy,
  lineage: NO_LINEAGE,
  upstream: { host: '', private: false, gated: false, licence: '', tags: [], downloads: 0, ageDays: -1 },
  releases: [],
  ...who,
});
