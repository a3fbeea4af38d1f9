import { z } from 'zod';
import { ACTIONS } from './types.ts';

const MAX_CASES = 2000;
const MAX_TEXT_CHARACTERS = 200;
const MAX_ITEMS = 200;

const text = z.string().min(1).max(MAX_TEXT_CHARACTERS);
const rule = z
  .string()
  .regex(/^(default|observe|[a-z0-9._-]+\/[a-z0-9._-]+)$/, 'expected <policy>/<rule>, default or observe');

const outcome = z.strictObject({ action: z.enum(ACTIONS), rule });

const full = outcome.extend({
  obligations: z
    .strictObject({
      notice: z.string().optional(),
      release: z.literal('hold').optional(),
      rows: z.enum(['drop', 'annotate']).optional(),
    })
    .optional()
    .describe('All of them, when given: an obligation that is not named here must not be there.'),
  reason: text.optional().describe('A part of the reason that the client prints.'),
  audited: outcome.optional().describe('What would be done were all that is only observed enforced.'),
  waiver: text.optional().describe('Id of the waiver that lifts the refusal.'),
  also: z
    .array(rule)
    .min(1)
    .max(MAX_ITEMS)
    .optional()
    .describe('Rules that must match as well, though another decides.'),
});

const short = z
  .string()
  .regex(
    new RegExp(`^(${ACTIONS.join('|')}) (default|observe|[a-z0-9._-]+/[a-z0-9._-]+)$`),
    'expected <action> <policy>/<rule>, as in deny default/dangerous',
  )
  .transform((written) => {
    const [action = '', named = ''] = written.split(' ');
    return full.parse({ action, rule: named });
  });

/** Read by `factsSchema` after those of the document and of the case are joined. */
const facts = z.record(z.string(), z.unknown()).describe('Facts, in short form; what is left out is not known.');

/** One document of a file of tests. */
export const testSchema = z.strictObject({
  apiVersion: z.literal('weighbridge/v1'),
  kind: z.literal('PolicyTest'),
  title: text.optional(),
  now: z.iso
    .datetime({ error: 'expected a time such as 2026-01-31T12:00:00Z' })
    .optional()
    .describe('The moment of the decisions, for waivers. The present when it is left out.'),
  given: facts.optional().describe('Facts that all cases of this document begin with.'),
  cases: z
    .array(
      z.strictObject({
        name: text.describe('What must be so, as a sentence.'),
        facts: facts.optional(),
        expect: z.union([short, full], {
          error: 'expected "<action> <policy>/<rule>", or a map with action, rule, and what else is expected',
        }),
      }),
    )
    .min(1)
    .max(MAX_CASES),
});

export type Expectation = z.infer<typeof full>;

/** The JSON schema that editors check files of tests with (one document of a file). */
export const testJsonSchema = (): unknown => z.toJSONSchema(testSchema, { io: 'input', target: 'draft-07' });
