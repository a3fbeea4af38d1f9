import type { Registry } from 'prom-client';
import { version } from '../../package.ts';
import type { Upstream } from '../../upstream/types.ts';
import { metricsOf } from './points.ts';
import { createSend, SEND_TIMEOUT, SENDER, type TellExport } from './send.ts';

/** Sends what `registry` counts to the collector `upstream` every `interval` ms, and a last time when it is closed. */
export const pushMetrics = async (
  registry: Registry,
  upstream: Pick<Upstream, 'request'>,
  interval: number,
  tell: TellExport,
): Promise<{ close(): Promise<void> }> => {
  const { ProtobufMetricsSerializer } = await import('@opentelemetry/otlp-transformer');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const { MeterProvider, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
  const resource = resourceFromAttributes(SENDER);
  const scope = { name: 'weighbridge', version };
  const send = createSend(upstream, '/v1/metrics', tell);
  const provider = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exportIntervalMillis: interval,
        exportTimeoutMillis: Math.min(SEND_TIMEOUT, interval),
        exporter: {
          export: (metrics, done) => void send(ProtobufMetricsSerializer.serializeRequest(metrics)).then(done),
          forceFlush: async () => undefined,
          shutdown: async () => undefined,
        },
        // Nothing is counted twice: what is sent is what `/metrics` says.
        metricProducers: [
          {
            collect: async () => ({
              resourceMetrics: { resource, scopeMetrics: [{ scope, metrics: await metricsOf(registry) }] },
              errors: [],
            }),
          },
        ],
      }),
    ],
  });
  return { close: () => provider.shutdown() };
};
