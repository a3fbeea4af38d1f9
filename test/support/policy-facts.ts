import type { Finding, Severity } from '../../src/formats/format.ts';
import { NO_LINEAGE } from '../../src/policy/lineage.ts';
import type { Facts } from '../../src/policy/types.ts';

type Change = {
  readonly [K in keyof Facts]?: Facts[K] extends readonly unknown[] ? Facts[K] : Partial<Facts[K]> | Facts[K];
};

/** Facts about a completely inspected inert file, with changes. */
export const factsWith = (change: Change = {}): Facts => {
  const base: Facts = {
    stage: 'content',
    artefact: {
      ecosystem: 'huggingface',
      repo: 'models/acme/bert',
      namespace: 'acme',
      commit: 'c'.repeat(40),
      path: 'model.safetensors',
      size: 1000,
      sha256: 'a'.repeat(64),
      format: 'safetensors',
      content: 'inert',
    },
    coverage: { state: 'complete', bytesInspected: 1000, bytesTotal: 1000, reason: '' },
    findings: [],
    convertible: false,
    dataset: { rows: 0, flagged: 0, rules: [], kinds: [], droppable: false, reason: '' },
    explainedBy: { path: '', sha256: '', format: '' },
    lineage: NO_LINEAGE,
    upstream: { host: 'hub', private: false, gated: false, licence: 'mit', tags: [], downloads: 5, ageDays: 100 },
    requester: { id: 'p', team: 'research', environment: '', teamFrom: 'token' },
    client: { name: 'huggingface_hub', version: '2.4.0' },
    releases: [],
  };
  return {
    ...base,
    ...change,
    artefact: { ...base.artefact, ...change.artefact },
    coverage: { ...base.coverage, ...change.coverage },
    dataset: { ...base.dataset, ...change.dataset },
    explainedBy: { ...base.explainedBy, ...change.explainedBy },
    lineage: { ...base.lineage, ...change.lineage },
    upstream: { ...base.upstream, ...change.upstream },
    requester: { ...base.requester, ...change.requester },
    client: { ...base.client, ...change.client },
  } as Facts;
};

/** A finding of the given severity in `archive/data.pkl`. */
export const findingOf = (severity: Severity, rule = 'pickle.global-unknown', offset = 34): Finding => ({
  rule,
  severity,
  message: 'imports os.system',
  where: { path: ['archive/data.pkl'], offset },
  evidence: 'os system',
  refs: ['CWE-502'],
});
