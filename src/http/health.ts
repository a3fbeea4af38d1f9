import type { FastifyInstance } from 'fastify';
import { version } from '../package.ts';

/** One thing that is right or wrong with this gateway: a wall of the sandbox, the store, the policies. */
export type HealthFact = {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Whether the gateway must not get requests while it is wrong. */
  readonly required: boolean;
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
  app.route({ method: ['GET', 'HEAD'], url: '/healthz', handler: async () => ({ status: 'ok', version }) });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/readyz',
    async handler(_request, reply) {
      const facts = await gathered(health);
      const ready = !draining() && facts.every((fact) => fact.ok || !fact.required);
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ ready, draining: draining(), facts });
    },
  });
};
