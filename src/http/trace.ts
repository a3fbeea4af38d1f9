import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { randomHex } from '../audit/identifiers.ts';

/** The trace that a request belongs to (W3C Trace Context): its caller's, or a new one. */
export type Trace = {
  /** 32 hex digits. */
  readonly traceId: string;
  /** The caller's span, 16 hex digits; empty where the trace begins here. */
  readonly parentId: string;
  /** This request's span. */
  readonly spanId: string;
  /** Whether the caller records it; true where the trace begins here. */
  readonly sampled: boolean;
};

// Version 00; later ones may go on after another dash (section 3.2.2 and 4 of the recommendation).
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const traces = new WeakMap<IncomingMessage, Trace>();

/** What a `traceparent` says; undefined for none, or one that is not valid: it is then as if there were none. */
const readTraceparent = (header: unknown): Omit<Trace, 'spanId'> | undefined => {
  if (typeof header !== 'string') return undefined;
  const [, version = '', traceId = '', parentId = '', flags = '', rest] = FORM.exec(header) ?? [];
  if (traceId === '' || (version === '00' && rest !== undefined)) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
};

/** The trace of a request; the same one however often it is asked for. */
export const traceOf = (request: IncomingMessage): Trace => {
  const known = traces.get(request);
  if (known !== undefined) return known;
  const told = readTraceparent(request.headers['traceparent']);
  const begun = told ?? { traceId: randomHex(16), parentId: '', sampled: true };
  const trace = { ...begun, spanId: randomHex(8) };
  traces.set(request, trace);
  return trace;
};

/**
 * Puts the ids of request and trace on every line of the program's own log that a request causes, and at level `debug` adds
 * a line with the decision for each answer. To be called before there are routes.
 */
export const traceRequests = (app: FastifyInstance): void => {
  app.setChildLoggerFactory((logger, bindings, options, raw) => {
    const { spanId, traceId } = traceOf(raw);
    return logger.child({ ...bindings, traceId, spanId }, options);
  });
  if (app.log.level !== 'debug') return;
  app.addHook('onRequest', async (request, reply) => {
    const from = performance.now();
    reply.raw.once('close', () => {
      const ms = Math.round(performance.now() - from);
      const { method, routeOptions } = request;
      const { statusCode: status } = reply.raw;
      const decision = reply.raw.getHeader('x-weighbridge-decision');
      request.log.debug({ method, route: routeOptions.url ?? '', status, decision, ms }, 'answered');
    });
  });
};
