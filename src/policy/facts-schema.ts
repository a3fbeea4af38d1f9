import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import { CONTENTS, SEVERITIES } from '../formats/format.ts';
import type { Facts } from './types.ts';

const count = z.number().int().nonnegative();
const text = z.string().default('');

const fullFinding = z.strictObject({
  rule: z.string(),
  severity: z.enum(SEVERITIES),
  message: text,
  where: z
    .strictObject({ path: z.array(z.string()), offset: count, line: count.optional() })
    .default({ path: [], offset: 0 }),
  evidence: text,
  refs: z.array(z.string()).default([]),
});

/** `pickle.global-call critical`. */
const shortFinding = z
  .string()
  .regex(
    new RegExp(`^[^ ]+ (${SEVERITIES.join('|')})$`),
    `expected <rule> <severity>, the severity one of ${SEVERITIES.join(', ')}`,
  )
  .transform((written) => {
    const [rule = '', severity = ''] = written.split(' ');
    return fullFinding.parse({ rule, severity });
  });

const finding = z.union([shortFinding, fullFinding], {
  error: 'expected "<rule> <severity>", or a map with rule, severity, and what else is known of the finding',
});

const COVERAGES = ['complete', 'partial', 'opaque'] as const;

const fullCoverage = z.strictObject({
  state: z.enum(COVERAGES),
  bytesInspected: count.default(0),
  bytesTotal: count.default(0),
  reason: text,
});

/** The state alone. */
const shortCoverage = z.enum(COVERAGES).transform((state) => fullCoverage.parse({ state }));

const texts = z.array(z.string()).default([]);

/** What is left out was not compared. */
const lineage = z.strictObject({
  base: text,
  declaredBy: text,
  relation: text,
  commit: text,
  confidence: z.enum(['none', 'structure', 'sampled values', 'digests']).default('none'),
  assessment: text,
  tensors: z
    .strictObject({
      compared: z.boolean().default(false),
      total: count.default(0),
      same: count.default(0),
      retyped: count.default(0),
      reshaped: count.default(0),
      added: count.default(0),
      missing: z.number().int().min(-1).default(0),
      sampled: count.default(0),
      changed: count.default(0),
      parts: texts,
      distance: z.number().nonnegative().default(0),
    })
    .prefault({}),
  tokenizer: z
    .strictObject({
      compared: z.boolean().default(false),
      changed: texts,
      vocabulary: count.default(0),
      baseVocabulary: count.default(0),
      added: texts,
      removed: texts,
    })
    .prefault({}),
  template: z
    .strictObject({
      compared: z.boolean().default(false),
      changed: z.boolean().default(false),
      added: texts,
      removed: texts,
    })
    .prefault({}),
});

/** Facts as a person writes them to try a policy: what is left out is what the gateway would not know either. */
export const factsSchema = z.strictObject({
  stage: z.enum(['request', 'content']).default('content'),
  artefact: z.strictObject({
    ecosystem: z.string().default('huggingface'),
    repo: text,
    namespace: text,
    commit: text,
    path: z.string().min(1),
    size: count.default(0),
    sha256: text,
    format: text,
    content: z.enum(['', ...CONTENTS]).default(''),
  }),
  coverage: z
    .union([shortCoverage, fullCoverage], { error: `expected one of ${COVERAGES.join(', ')}, or a map with state` })
    .default({ state: 'opaque', bytesInspected: 0, bytesTotal: 0, reason: 'not inspected' }),
  findings: z.array(finding).default([]),
  convertible: z.boolean().default(false),
  explainedBy: z.strictObject({ path: text, sha256: text, format: text }).prefault({}),
  dataset: z
    .strictObject({
      rows: count.default(0),
      flagged: count.default(0),
      rules: z.array(z.strictObject({ rule: z.string(), rows: count })).default([]),
      kinds: z.array(z.string()).default([]),
      droppable: z.boolean().default(false),
      reason: text,
    })
    .prefault({}),
  lineage: lineage.prefault({}),
  upstream: z
    .strictObject({
      host: text,
      private: z.boolean().default(false),
      gated: z.boolean().default(false),
      licence: text,
      tags: z.array(z.string()).default([]),
      downloads: count.default(0),
      ageDays: z.number().int().min(-1).default(-1),
    })
    .prefault({}),
  requester: z
    .strictObject({ id: text, team: text, environment: text, teamFrom: z.enum(['', 'token', 'path']).default('') })
    .prefault({}),
  client: z.strictObject({ name: text, version: text }).prefault({}),
  releases: z
    .array(
      z.strictObject({
        id: z.string(),
        rules: z.array(z.string()),
        until: z.number().exactOptional(),
        heldSince: z.number().exactOptional(),
      }),
    )
    .default([]),
});

/** Facts from JSON, with defaults for what is left out. Throws REQUEST_INVALID that names every wrong field. */
export const parseFacts = (json: string): Facts => {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new WeighbridgeError('REQUEST_INVALID', `facts are not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  return readFacts(value);
};

/** Facts that were parsed from JSON, as `parseFacts` reads them: those that an older version kept lack what came later. */
export const readFacts = (value: unknown): Facts => {
  const result = factsSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || '(facts)'}: ${message}`);
  throw new WeighbridgeError('REQUEST_INVALID', `facts are not as expected: ${problems.join('; ')}`);
};
