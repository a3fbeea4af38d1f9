import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import { reportSchema } from '../sandbox/answer.ts';
import type { Operation } from './api/operation.ts';
import { digest } from './api/shapes.ts';

/** Finds what is kept under a digest; undefined when nothing is. */
export type Lookup = (digest: string) => Promise<unknown>;

const params = z.object({ digest });

/** Facts and statements are kept as the version that wrote them had them: fields may come. */
const kept: Readonly<Record<string, z.ZodType>> = {
  reports: reportSchema,
  facts: z.looseObject({
    stage: z.string(),
    artefact: z.looseObject({ ecosystem: z.string(), repo: z.string(), path: z.string() }),
    findings: z.array(z.looseObject({ rule: z.string(), severity: z.string() })),
  }),
  statements: z.looseObject({}),
  policies: z.strictObject({
    files: z.record(z.string(), z.string()),
    at: z.number(),
    shadow: z.literal(true).optional(),
  }),
};

const operationOf = (name: string): Operation => ({
  about: `What is kept of ${name} under a digest`,
  params,
  answers: { 200: { about: 'As it was kept', json: kept[name] ?? z.unknown() } },
});

/** Serves what is kept by digest at `/api/v1/<name>/<digest>`: reports and statements by the sha256 of their blob, facts, policies. */
export const serveLookups = (app: FastifyInstance, lookups: Readonly<Record<string, Lookup>>): void => {
  for (const [name, find] of Object.entries(lookups)) {
    app.get(`/api/v1/${name}/:digest`, { config: { operation: operationOf(name) } }, async (request, reply) => {
      const parsed = params.safeParse(request.params);
      if (!parsed.success)
        throw new WeighbridgeError('REQUEST_INVALID', 'expected a sha256 as 64 lower-case hex digits');
      const found = await find(parsed.data.digest);
      if (found === undefined) throw new WeighbridgeError('NOT_FOUND', `no ${name} are kept under this digest`);
      return reply.type('application/json').send(JSON.stringify(found));
    });
  }
};
