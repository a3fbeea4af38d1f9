import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';

/** Finds what is kept under a digest; undefined when nothing is. */
export type Lookup = (digest: string) => Promise<unknown>;

const params = z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/) });

/** Serves what is kept by digest at `/api/v1/<name>/<digest>`: reports and statements by the sha256 of their blob, facts, policies. */
export const serveLookups = (app: FastifyInstance, lookups: Readonly<Record<string, Lookup>>): void => {
  for (const [name, find] of Object.entries(lookups)) {
    app.get(`/api/v1/${name}/:digest`, async (request, reply) => {
      const parsed = params.safeParse(request.params);
      if (!parsed.success)
        throw new WeighbridgeError('REQUEST_INVALID', 'expected a sha256 as 64 lower-case hex digits');
      const found = await find(parsed.data.digest);
      if (found === undefined) throw new WeighbridgeError('NOT_FOUND', `no ${name} are kept under this digest`);
      return reply.type('application/json').send(JSON.stringify(found));
    });
  }
};
