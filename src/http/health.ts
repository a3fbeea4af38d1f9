import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { version } from '../package.ts';
import type { Operation } from './api/operation.ts';

/** One thing that is right or wrong with this gateway: a wall of the sandbox, the store, the policies. */
export type HealthFact = {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Whether the gateway must not get requests while it is wrong. */
  readonly required: boolean;
};

const fact = z.strictObject({
  name: z.string(),
  ok: z.boolean(),
  detail: z.string(),
  required: z.boolean(),
}) satisfies z.ZodType<HealthFact>;
const readiness = z.strictObject({ ready: z.boolean(), draining: z.boolean(), facts: z.array(fact) });

const alive: Operation = {
  about: 'Whether the process answers',
  answers: { 200: { about: 'It does', json: z.strictObject({ status: z.literal('ok'), version: z.string() }) } },
};
const ready: Operation = {
  about: 'Whether it may be given requests, and why not',
  answers: { 200: { about: 'It may', json: readiness }, 503: { about: 'It may not', json: readiness } },
};

/** How long the facts may take (ms): probes commonly give up after a second or a few. */
const PROBE_TIMEOUT = 3_000;

const timedOut: HealthFact = {
  name: 'health',
  ok: false,
  detail: `no answer within ${PROBE_TIMEOUT} ms`,
  required: true,
};

const gathered = async (health: () => Promise<readonly HealthFact[]>): Promise<readonly HealthFact[]> => {
  const { promise, resolve } = Promise.withResolvers<readonly HealthFact[]>();
  const timer = setTimeout(() => resolve([timedOut]), PROBE_TIMEOUT);
  const failed = (): readonly HealthFact[] => [{ ...timedOut, detail: 'the health check failed' }];
  try {
    return await Promise.race([health().catch(failed), promise]);
  } finally {
    clearTimeout(timer);
  }
};

/** `/healthz`: the process answers. `/readyz`: it may be given requests, and why not. */
export const serveHealth = (
  app: FastifyInstance,
  health: () => Promise<readonly HealthFact[]>,
  draining: () => boolean,
): void => {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/healthz',
    config: { operation: alive },
    handler: async () => ({ status: 'ok', version }),
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/readyz',
    config: { operation: ready },
    async handler(_request, reply) {
      const facts = await gathered(health);
      const open = !draining() && facts.every((fact) => fact.ok || !fact.required);
      return reply
        .code(open ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ ready: open, draining: draining(), facts });
    },
  });
};
