import { z } from 'zod';
import { ACTIONS } from '../../policy/types.ts';

/** Parts of requests and answers that several operations have in common. */

export const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Characters of a name or pattern that entries are looked for by. The longest name is an artefact's: repo and path. */
const MAX_TEXT = 8192;

/** A name or pattern that entries are looked for by. */
export const sought = z.string().min(1).max(MAX_TEXT).optional();

/** A time or a date as people write it, as ms since the epoch. */
export const time = z.iso
  .datetime({ offset: true })
  .or(z.iso.date())
  .transform((written) => Date.parse(written));

/** ms since the epoch. */
export const moment = z.number();

export const decided = z.strictObject({ action: z.enum(ACTIONS), rule: z.string(), reason: z.string() });

export const evidence = z.strictObject({ policySet: z.string(), ruleset: z.string(), facts: z.string() });

/** Entries of the log are as the version that wrote them had them: fields may come. */
export const entry = z.looseObject({
  v: z.literal(1),
  id: z.string(),
  time: z.iso.datetime(),
  node: z.string(),
  kind: z.string(),
  actor: z.string().optional(),
  team: z.string().optional(),
  request: z.looseObject({ id: z.string(), method: z.string(), route: z.string() }).optional(),
  artefact: z.looseObject({ ecosystem: z.string(), repo: z.string(), commit: z.string(), path: z.string() }).optional(),
  decision: z.looseObject(decided.shape).optional(),
  evidence: evidence.optional(),
  served: z
    .looseObject({ status: z.number(), bytes: z.number(), release: z.string(), complete: z.boolean() })
    .optional(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
