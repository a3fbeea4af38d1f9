import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { AccessLog } from '../../audit/types.ts';
import type { Config } from '../../config.ts';
import type { Gateway } from '../../gateway/types.ts';
import type { PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Upstream } from '../../upstream/types.ts';
import { createUpstream } from '../../upstream/upstream.ts';
import { pushMetrics } from '../otlp/push.ts';
import type { TellExport } from '../otlp/send.ts';
import { traceOf } from '../trace.ts';
import { createExporter } from './exporter.ts';
import { tracedGateway, tracedLog, tracedPolicies, tracedSandbox, tracedUpstream } from './parts.ts';
import { createSpans, type Spans } from './spans.ts';

/** Makes spans of what the parts of a gateway do; without a collector it leaves them as they are. */
export type Tracing = {
  readonly sandbox: (sandbox: Sandbox) => Sandbox;
  readonly log: (log: AccessLog) => AccessLog;
  readonly policies: (current: () => PolicySet) => () => PolicySet;
  readonly gateway: (gateway: Gateway) => Gateway;
  readonly upstream: (upstream: Upstream) => Upstream;
  /** Makes a span of each request. To be called before there are routes. */
  readonly requests: (app: FastifyInstance) => void;
  close(): Promise<void>;
};

const same = <T>(part: T): T => part;
const NO_TRACING: Tracing = {
  sandbox: same,
  log: same,
  policies: same,
  gateway: same,
  upstream: same,
  requests: () => undefined,
  close: async () => undefined,
};

/**
 * Tracing as the settings have it, and what `registry` counts sent to the same collector. What it needs is loaded only where
 * a collector is named.
 */
export const openTracing = async (
  { interval, otlp, propagate, sample, token }: Config['telemetry'],
  registry: Registry,
  logger: Pick<FastifyBaseLogger, 'warn'>,
): Promise<Tracing> => {
  if (otlp === undefined) return NO_TRACING;
  const origin = { url: otlp, ...(token !== undefined && { token }) };
  // Once: spans that wait for a collector would push newer ones out.
  const collector = createUpstream({ origin, allowPrivate: true, patience: { attempts: 1 } });
  const spans = await createSpans(await createExporter(collector, tellIn(logger, 'traces')), sample);
  const metrics = await pushMetrics(registry, collector, interval, tellIn(logger, 'metrics'));
  return {
    sandbox: (sandbox) => tracedSandbox(sandbox, spans),
    log: (log) => tracedLog(log, spans),
    policies: (current) => tracedPolicies(current, spans),
    gateway: (gateway) => tracedGateway(gateway, spans),
    upstream: (upstream) => tracedUpstream(upstream, spans, propagate),
    requests: (app) => followRequests(app, spans),
    async close() {
      await Promise.allSettled([spans.close(), metrics.close()]);
      await collector.close();
    },
  };
};

const tellIn =
  (logger: Pick<FastifyBaseLogger, 'warn'>, what: 'traces' | 'metrics'): TellExport =>
  (problem) =>
    problem === undefined
      ? logger.warn(`${what} arrive at the collector again`)
      : logger.warn({ problem }, `${what} do not arrive at the collector, and are lost`);

const followRequests = (app: FastifyInstance, { request: begin }: Spans): void => {
  app.addHook('onRequest', (request, reply, done) => {
    const { id, method, raw, routeOptions } = request;
    const route = routeOptions.url ?? '';
    const span = begin(traceOf(raw), `${method} ${route}`.trim());
    span.tell({ 'http.request.method': method, 'http.route': route, 'weighbridge.request_id': id });
    reply.raw.once('close', () => {
      const { statusCode } = reply.raw;
      const decision = reply.raw.getHeader('x-weighbridge-decision');
      span.tell({
        'http.response.status_code': statusCode,
        'weighbridge.decision': decision === undefined ? undefined : String(decision),
      });
      span.end(statusCode >= 500 ? statusCode : undefined);
    });
    span.within(done);
  });
};
