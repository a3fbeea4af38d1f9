import type { FastifyInstance } from 'fastify';
import { sendError } from './errors.ts';

/** Ends a gateway without cutting what it is serving. */
export type Drain = {
  readonly draining: () => boolean;
  /** Requests whose answers have not ended. */
  readonly running: () => number;
  /** Refuses new work, waits up to `patience` ms for what runs, then closes every connection. Repeated calls join. */
  readonly drain: (patience: number) => Promise<void>;
};

/** Answered to the end, so that an orchestrator sees why it should send nobody. */
const ALWAYS = new Set(['/healthz', '/readyz', '/metrics']);

/** Counts what runs in `app` and refuses new requests once draining has begun. */
export const drainable = (app: FastifyInstance): Drain => {
  let running = 0;
  const idle = Promise.withResolvers<void>();
  let ending: Promise<void> | undefined;

  app.addHook('onRequest', async (request, reply) => {
    if (ALWAYS.has(request.url)) return undefined;
    if (ending !== undefined) {
      reply.header('connection', 'close').header('retry-after', 1);
      return sendError(request, reply, { status: 503, code: 'DRAINING', message: 'this gateway is being stopped' });
    }
    running += 1;
    reply.raw.once('close', () => {
      running -= 1;
      if (running === 0 && ending !== undefined) idle.resolve();
    });
    return undefined;
  });

  const end = async (patience: number): Promise<void> => {
    if (running === 0) idle.resolve();
    const timer = setTimeout(idle.resolve, patience);
    await idle.promise;
    clearTimeout(timer);
    const closed = app.close();
    app.server.closeAllConnections();
    await closed;
  };
  return {
    draining: () => ending !== undefined,
    running: () => running,
    drain: (patience) => {
      ending ??= end(patience);
      return ending;
    },
  };
};
