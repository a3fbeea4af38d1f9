import { type Finding, SEVERITIES } from '../formats/format.ts';
import type { Values } from './conditions.ts';
import { lineageValues } from './lineage.ts';
import type { Facts } from './types.ts';

/** Findings and tags that conditions look at, the worst first; loops over them stay affordable. */
const MAX_ITEMS = 1000;

/** The facts as CEL wants them, and which finding of the facts each entry of `findings` is (-1: none). */
export type Prepared = { readonly values: Values; readonly indexes: readonly number[] };

const integer = (value: number): bigint => (Number.isFinite(value) ? BigInt(Math.trunc(value)) : -1n);
/** A severity that is none counts as the worst: a slip elsewhere must not make a finding invisible. */
const rank = ({ severity }: Finding): number => {
  const index = SEVERITIES.indexOf(severity);
  return index < 0 ? SEVERITIES.length - 1 : index;
};

/**
 * Converts facts once for all conditions: integers become bigint, severities their rank. Findings beyond the limit are
 * left out, the least severe first, and that is a finding by itself, so that nothing hides behind a crowd.
 */
export const prepare = (facts: Facts): Prepared => {
  const { artefact, coverage, dataset, upstream } = facts;
  const order = facts.findings
    .map((finding, index) => ({ finding, index }))
    .sort((a, b) => rank(b.finding) - rank(a.finding));
  const kept = order.slice(0, MAX_ITEMS);
  const findings = kept.map(({ finding }) => asValue(finding));
  const indexes = kept.map(({ index }) => index);
  if (order.length > MAX_ITEMS || upstream.tags.length > MAX_ITEMS) {
    findings.push(asValue(truncated));
    indexes.push(-1);
  }
  const values: Values = {
    stage: facts.stage,
    artefact: { ...artefact, size: integer(artefact.size) },
    coverage: {
      ...coverage,
      bytesInspected: integer(coverage.bytesInspected),
      bytesTotal: integer(coverage.bytesTotal),
    },
    findings,
    convertible: facts.convertible,
    explainedBy: facts.explainedBy,
    dataset: {
      ...dataset,
      rows: integer(dataset.rows),
      flagged: integer(dataset.flagged),
      rules: dataset.rules.slice(0, MAX_ITEMS).map(({ rule, rows }) => ({ rule, rows: integer(rows) })),
      kinds: dataset.kinds.slice(0, MAX_ITEMS),
    },
    lineage: lineageValues(facts.lineage),
    upstream: {
      ...upstream,
      tags: upstream.tags.slice(0, MAX_ITEMS),
      downloads: integer(upstream.downloads),
      ageDays: integer(upstream.ageDays),
    },
    requester: facts.requester,
    client: facts.client,
  };
  return { values, indexes };
};

const truncated: Finding = {
  rule: 'policy.truncated',
  severity: 'medium',
  message: `more than ${MAX_ITEMS} findings or tags; the policy saw the worst ${MAX_ITEMS}`,
  where: { path: [], offset: 0 },
  evidence: '',
  refs: ['CWE-400'],
};

const asValue = (finding: Finding): Values => {
  const { rule, message, where, evidence, refs } = finding;
  return {
    rule,
    severity: BigInt(rank(finding)),
    message,
    where: { path: where.path, offset: integer(where.offset) },
    evidence,
    refs,
  };
};

/** The same values with no finding but the one at `index` (none when undefined): what one finding says alone. */
export const withOnly = (values: Values, index: number | undefined): Values => {
  const all = Array.isArray(values['findings']) ? values['findings'] : [];
  return { ...values, findings: index === undefined ? [] : all.slice(index, index + 1) };
};
