import { z } from 'zod';
import { isGlob } from './glob.ts';
import { ACTIONS } from './types.ts';

/** Longest expression, in characters: a longer one cannot be reviewed. */
const MAX_EXPRESSION_CHARACTERS = 2000;
const MAX_RULES = 200;
const MAX_ITEMS = 200;
/** Texts that end in a reason of at most 300 characters. */
const MAX_TEXT_CHARACTERS = 200;

const id = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    'expected an id: lower-case letters, digits, ".", "_", "-", at most 64 characters',
  )
  .describe('Stable name; rules are called <policy>/<rule>.');
const text = z.string().min(1).max(MAX_TEXT_CHARACTERS);
const expression = z.string().min(1).max(MAX_EXPRESSION_CHARACTERS).describe('A CEL expression of type bool.');
const glob = z.string().refine(isGlob, 'expected a glob of 1 to 256 characters').describe('*, ** and ? are wildcards.');
const globs = z.array(glob).min(1).max(MAX_ITEMS);

/** A condition: one expression, or several joined by `all`, `any` and `not`. */
export type When =
  | string
  | { readonly all: readonly When[] }
  | { readonly any: readonly When[] }
  | { readonly not: When };

const when: z.ZodType<When> = z.lazy(() =>
  z.union(
    [
      expression,
      z.strictObject({ all: z.array(when).min(1).max(MAX_ITEMS) }),
      z.strictObject({ any: z.array(when).min(1).max(MAX_ITEMS) }),
      z.strictObject({ not: when }),
    ],
    { error: 'expected a CEL expression, or exactly one of all: [...], any: [...], not: ...' },
  ),
);

const approvals = z.int().min(1).max(10);

const plainRule = z.strictObject({
  id,
  when,
  action: z.enum(ACTIONS),
  message: text.describe('Why, in one sentence; the client prints it.'),
  remediation: text.optional().describe('What the person who is refused can do.'),
  onError: z
    .enum(['deny', 'quarantine'])
    .default('deny')
    .describe('What happens when the condition cannot be evaluated.'),
  obligations: z
    .strictObject({
      notice: text.optional().describe('Text for the notice header of what is served.'),
      release: z.literal('hold').optional().describe('Never stream before the verdict.'),
      rows: z
        .enum(['drop', 'annotate'])
        .optional()
        .describe(
          'Flagged rows of a dataset. drop (with convert): serve it without them. annotate (with allow): say so in the notice.',
        ),
      approvals: approvals.optional().describe('People who must approve the release of what this rule refuses.'),
      autoRelease: z
        .string()
        .regex(/^[1-9]\d{0,4}[mhd]$/, 'expected a time such as 72h, 7d or 30m')
        .optional()
        .describe('With quarantine: what this rule holds is let go so long after it was first held, unless refused.'),
    })
    .optional(),
});

/** The action that each obligation about rows belongs to. */
const ROWS_NEED = { drop: 'convert', annotate: 'allow' } as const;

const rule = plainRule.superRefine(({ action, obligations }, context) => {
  const belongs = (name: string, actions: string): void =>
    context.addIssue({ code: 'custom', path: ['obligations', name], message: `${name} belongs to action: ${actions}` });
  if (obligations?.autoRelease !== undefined && action !== 'quarantine') belongs('autoRelease', 'quarantine');
  const refusing = action === 'quarantine' || action === 'deny';
  if (obligations?.approvals !== undefined && !refusing) belongs('approvals', 'quarantine or deny');
  const rows = obligations?.rows;
  if (rows === undefined || action === ROWS_NEED[rows]) return;
  const message = `rows: ${rows} belongs to action: ${ROWS_NEED[rows]}`;
  context.addIssue({ code: 'custom', path: ['obligations', 'rows'], message });
});

const match = z.strictObject({
  ecosystems: globs.optional(),
  repos: globs.optional().describe('For the Hub with the kind: models/org/name.'),
  exclude: globs.optional().describe('Repos that this policy leaves out.'),
  clients: globs.optional().describe('Names of clients. What a client says about itself is advice, not proof.'),
  stages: z
    .array(z.enum(['request', 'content']))
    .min(1)
    .optional()
    .describe('request: also judged before any byte is fetched, with an empty report. Default: content only.'),
});

const metadata = { id, title: text, owner: text.optional(), description: z.string().max(2000).optional() };
const apiVersion = z.literal('weighbridge/v1');

const releaseTerms = z
  .strictObject({
    approvals: approvals.default(1).describe('People who must approve.'),
    differ: z
      .array(z.enum(['requester', 'author']))
      .max(2)
      .default(['requester'])
      .describe('Who may not approve: whoever asked; whoever wrote, owns or signed the policies.'),
    authors: z.array(text).max(MAX_ITEMS).default([]).describe('Who wrote these policies, as callers are named.'),
    lifts: z
      .array(z.enum(['quarantine', 'deny']))
      .max(2)
      .default(['quarantine'])
      .describe('Refusals that people may release from.'),
    days: z.int().min(1).max(3650).default(90).describe('Days that a release may last.'),
  })
  .describe('How releases from a refusal come about.');

/** What holds where a set says nothing of releases. */
export const defaultReleaseTerms = (): z.output<typeof releaseTerms> => releaseTerms.parse({});

const policySet = z.strictObject({
  apiVersion,
  kind: z.literal('PolicySet'),
  version: z.string().min(1).max(64),
  defaultAction: z.enum(['allow', 'quarantine', 'deny']).describe('What happens to content that no rule speaks of.'),
  releases: releaseTerms.optional(),
});

const policy = z.strictObject({
  apiVersion,
  kind: z.literal('Policy'),
  metadata: z.strictObject({ ...metadata, links: z.array(z.string().max(300)).max(MAX_ITEMS).optional() }),
  mode: z
    .enum(['enforce', 'observe', 'audit', 'off'])
    .default('enforce')
    .describe('observe, or audit: what it would do is entered in the log and not done.'),
  match: match.optional(),
  vars: z
    .record(z.string().regex(/^[a-z][A-Za-z0-9_]{0,31}$/), z.string().min(1).max(MAX_EXPRESSION_CHARACTERS))
    .optional(),
  rules: z.array(rule).min(1).max(MAX_RULES),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256 in lower-case hexadecimal');
const place = z.strictObject({
  ecosystem: z.string().min(1),
  repo: z.string().min(1),
  commit: z.string().min(1),
  path: z.string().min(1),
});

const waiver = z.strictObject({
  apiVersion,
  kind: z.literal('Waiver'),
  metadata: z.strictObject({ id, title: text.optional() }),
  rules: z
    .array(z.string().regex(/^(default|[a-z0-9._-]+\/[a-z0-9._-]+)$/, 'expected <policy>/<rule> or default'))
    .min(1)
    .max(MAX_ITEMS),
  match: z.union(
    [
      z.strictObject({ sha256: z.union([sha256, z.array(sha256).min(1).max(1000)]) }),
      z.strictObject({ artefact: place }),
    ],
    {
      error: 'expected sha256: <64 hexadecimal digits or a list of them>, or artefact: {ecosystem, repo, commit, path}',
    },
  ),
  reason: text,
  owner: text,
  approvedBy: z.array(text).min(1).max(MAX_ITEMS),
  expires: z
    .string()
    .refine((value) => /^\d{4}-\d\d-\d\d(T[\d:.]+Z)?$/.test(value) && !Number.isNaN(Date.parse(value)), {
      error: 'expected a date, 2027-01-31 (to the end of that day, UTC) or 2027-01-31T12:00:00Z',
    }),
});

const observe = z.strictObject({
  apiVersion,
  kind: z.literal('Observe'),
  title: text.optional(),
  teams: globs.optional().describe('Teams, proven by their tokens, for whom nothing is enforced. Left out: everybody.'),
});

/** One document of a policy file. */
export const documentSchema = z.discriminatedUnion('kind', [policySet, policy, waiver, observe], {
  error: 'expected kind: PolicySet, Policy, Waiver or Observe',
});

export type PolicyDocument = z.infer<typeof policy>;
export type RuleDocument = z.infer<typeof plainRule>;
export type WaiverDocument = z.infer<typeof waiver>;
export type ObserveDocument = z.infer<typeof observe>;
export type SetDocument = z.infer<typeof policySet>;

/** The JSON schema that editors check policy files with (one document of a file). */
export const policyJsonSchema = (): unknown => z.toJSONSchema(documentSchema, { io: 'input', target: 'draft-07' });
