import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import { compareWeights, type Structure } from '../gateway/compare.ts';
import type { Lookup } from './lookups.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const params = z.object({ first: digest, second: digest });
/** The part of a report that is compared. */
const reported = z.object({
  details: z.object({
    weights: z.object({
      fingerprint: z.string(),
      tensors: z.number(),
      groups: z.array(z.object({ tensors: z.string(), count: z.number() })),
      moreGroups: z.number().optional(),
    }),
  }),
});

/** Serves how the weights of two blobs differ, by their reports, at `/api/v1/compare/<sha256>/<sha256>`. */
export const serveComparison = (app: FastifyInstance, reports: Lookup): void => {
  app.get('/api/v1/compare/:first/:second', async (request) => {
    const parsed = params.safeParse(request.params);
    if (!parsed.success)
      throw new WeighbridgeError('REQUEST_INVALID', 'expected two sha256 as 64 lower-case hex digits each');
    const { first, second } = parsed.data;
    const structures = await Promise.all([structureOf(reports, first), structureOf(reports, second)]);
    return compareWeights(...structures);
  });
};

const structureOf = async (reports: Lookup, sha256: string): Promise<Structure> => {
  const found = reported.safeParse(await reports(sha256));
  if (found.success) return found.data.details.weights;
  throw new WeighbridgeError('NOT_FOUND', `no report under ${sha256} tells of weights`);
};
