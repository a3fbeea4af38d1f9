import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import type { Json } from '../formats/format.ts';
import { compareWeights } from '../gateway/compare.ts';
import { compareParts, type Parts, partsOf } from '../gateway/lineage/parts.ts';
import type { Operation } from './api/operation.ts';
import { digest } from './api/shapes.ts';
import type { Lookup } from './lookups.ts';

const params = z.object({ first: digest, second: digest });

/** The part of a report that is compared. */
const reported = z.object({ details: z.record(z.string(), z.custom<Json>()).default({}) });

const operation: Operation = {
  about: 'How two blobs differ, the first as made from the second',
  params,
  answers: {
    200: {
      about: 'What they have in common, and what not',
      json: z.looseObject({
        confidence: z.string(),
        assessment: z.string(),
        tensors: z.looseObject({ compared: z.boolean() }),
        tokenizer: z.looseObject({ compared: z.boolean() }),
        template: z.looseObject({ compared: z.boolean() }),
      }),
    },
  },
};

/**
 * Serves how two blobs differ, by their reports, at `/api/v1/compare/<sha256>/<sha256>`: the first as a model that was made
 * from the second, in the structure and the sampled values of their weights, their tokenizers, their chat templates.
 */
export const serveComparison = (app: FastifyInstance, reports: Lookup): void => {
  app.get('/api/v1/compare/:first/:second', { config: { operation } }, async (request) => {
    const parsed = params.safeParse(request.params);
    if (!parsed.success)
      throw new WeighbridgeError('REQUEST_INVALID', 'expected two sha256 as 64 lower-case hex digits each');
    const { first, second } = parsed.data;
    const [own, base] = await Promise.all([partsFor(reports, first), partsFor(reports, second)]);
    const compared = compareParts(own, base, true);
    if (compared.confidence === 'none')
      throw new WeighbridgeError('NOT_FOUND', 'the two reports have nothing in common that could be compared');
    const structure = own.weights && base.weights && compareWeights(own.weights, base.weights);
    return { ...structure, ...compared };
  });
};

const partsFor = async (reports: Lookup, sha256: string): Promise<Parts> => {
  const found = reported.safeParse(await reports(sha256));
  if (found.success) return partsOf(found.data);
  throw new WeighbridgeError('NOT_FOUND', `no report is kept under ${sha256}`);
};
