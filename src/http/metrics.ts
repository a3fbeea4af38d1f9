import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AccessLog, Entry } from '../audit/types.ts';
import type { Operation } from './api/operation.ts';

/** What is counted. One object for one gateway; the registry's default metrics include the event-loop delay. */
export type Metrics = {
  readonly registry: Registry;
  readonly requests: Counter<'mount' | 'method' | 'status'>;
  readonly duration: Histogram<'mount' | 'method'>;
  readonly policyLoadErrors: Counter;
  /** Counts what an entry of the access log tells: decisions and bytes. */
  observe(entry: Entry): void;
  /** Measures how long an entry takes to the disk. */
  written(writing: Promise<number>): Promise<number>;
  /** Adds a number that is asked for whenever the metrics are read. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
};

/** Upper bounds (s): a cached file begins in milliseconds, a held one can take an hour. */
const BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600];

/** Upper bounds (s): a group commit takes milliseconds on a disk, seconds on one that is full or busy. */
const LOG_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const decisions = new Counter({
    name: 'weighbridge_decisions_total',
    help: 'Decisions on artefacts, by ecosystem and action',
    labelNames: ['ecosystem', 'action'] as const,
    registers,
  });
  const bytes = new Counter({
    name: 'weighbridge_served_bytes_total',
    help: 'Bytes of artefacts that were served, by the way they were released',
    labelNames: ['ecosystem', 'release'] as const,
    registers,
  });
  const outcomes = new Counter({
    name: 'weighbridge_outcomes_total',
    help: 'Answers with artefacts, by the way they were released: `cached` is what the store had',
    labelNames: ['ecosystem', 'release'] as const,
    registers,
  });
  const logWait = new Histogram({
    name: 'weighbridge_log_wait_seconds',
    help: 'Time from handing an entry to the access log until it is on the disk',
    buckets: LOG_BUCKETS,
    registers,
  });
  /** When entries were handed over that are not on the disk, the oldest first. */
  const unwritten = new Set<{ readonly from: number }>();
  new Gauge({
    name: 'weighbridge_log_lag_seconds',
    help: 'Age of the oldest entry that somebody waits for and that is not on the disk',
    registers,
    collect() {
      const [oldest] = unwritten;
      this.set(oldest === undefined ? 0 : (performance.now() - oldest.from) / 1000);
    },
  });
  return {
    registry,
    async written(writing) {
      const entry = { from: performance.now() };
      unwritten.add(entry);
      try {
        return await writing;
      } finally {
        unwritten.delete(entry);
        logWait.observe((performance.now() - entry.from) / 1000);
      }
    },
    requests: new Counter({
      name: 'weighbridge_requests_total',
      help: 'Requests answered',
      labelNames: ['mount', 'method', 'status'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'weighbridge_request_seconds',
      help: 'Time from a request to the end of its answer',
      labelNames: ['mount', 'method'] as const,
      buckets: BUCKETS,
      registers,
    }),
    policyLoadErrors: new Counter({
      name: 'weighbridge_policy_load_errors_total',
      help: 'Policy sets that were refused; the last good one stayed in force',
      registers,
    }),
    observe({ kind, artefact, decision, served }) {
      const ecosystem = artefact?.ecosystem ?? '';
      const decides = kind === 'artefact.decision' || kind === 'upload.decision';
      if (decides && decision !== undefined) decisions.inc({ ecosystem, action: decision.action });
      if (kind === 'artefact.outcome' && served !== undefined) outcomes.inc({ ecosystem, release: served.release });
      if (served !== undefined) bytes.inc({ ecosystem, release: served.release }, served.bytes);
    },
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set(await read());
        },
      });
    },
  };
};

/** The same log, with every entry counted once it is accepted. */
export const counted = (log: AccessLog, metrics: Metrics): AccessLog => ({
  checkpoint: () => log.checkpoint(),
  key: log.key,
  get size() {
    return log.size;
  },
  pseudonym: (value) => log.pseudonym(value),
  close: () => log.close(),
  async append(entry) {
    const index = await metrics.written(log.append(entry));
    metrics.observe(entry);
    return index;
  },
  enqueue(entry) {
    log.enqueue(entry);
    metrics.observe(entry);
  },
});

const operation: Operation = {
  about: 'Metrics for Prometheus',
  answers: { 200: { about: 'The text format of Prometheus', types: ['text/plain'] } },
};

/** Counts the requests of `app` by mount, and serves `/metrics` in the text format of Prometheus. */
export const serveMetrics = (app: FastifyInstance, metrics: Metrics, mounts: readonly string[]): void => {
  const mountOf = (url: string): string =>
    mounts.find((mount) => url === mount || url.startsWith(`${mount}/`)) ?? 'own';
  app.addHook('onRequest', async (request, reply) => {
    const labels = { mount: mountOf(request.url), method: request.method };
    const stop = metrics.duration.startTimer(labels);
    reply.raw.once('close', () => {
      stop();
      metrics.requests.inc({ ...labels, status: reply.raw.statusCode });
    });
  });
  app.get('/metrics', { config: { operation } }, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
};
