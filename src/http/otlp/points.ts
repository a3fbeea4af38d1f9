import type { HrTime } from '@opentelemetry/api';
import type { DataPoint, Histogram, MetricData } from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';

type Labels = Readonly<Record<string, string | number | undefined>>;
type Value = { readonly value: number; readonly labels: Labels; readonly metricName?: string };
/** From when and until when was counted. */
type Span = { readonly startTime: HrTime; readonly endTime: HrTime };

/**
 * What a registry of Prometheus counts, as OpenTelemetry has it: counters are sums that only grow, cumulated since the
 * process began, and names stay what they are (OpenTelemetry, Prometheus and OpenMetrics Compatibility).
 */
export const metricsOf = async (registry: Registry): Promise<MetricData[]> => {
  const { AggregationTemporality, DataPointType } = await import('@opentelemetry/sdk-metrics');
  const { ValueType } = await import('@opentelemetry/api');
  const told = await registry.getMetricsAsJSON();
  const span = { startTime: timeOf(performance.timeOrigin), endTime: timeOf(Date.now()) };
  return told.map(({ name, help, type, values }): MetricData => {
    const shared = {
      descriptor: { name, description: help, unit: '', valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    };
    // The declarations of prom-client say a number; its registry says a word.
    const kind = String(type);
    if (kind === 'histogram') {
      return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramsOf(values, span) };
    }
    const dataPoints = values.map(({ labels, value }) => ({ ...span, attributes: attributesOf(labels), value }));
    if (kind === 'counter') return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
    return { ...shared, dataPointType: DataPointType.GAUGE, dataPoints };
  });
};

/** ms since the epoch as seconds and nanoseconds. */
const timeOf = (time: number): HrTime => [Math.floor(time / 1000), Math.floor((time % 1000) * 1e6)];

const attributesOf = (labels: Labels): Record<string, string | number> =>
  Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) => (value === undefined || name === 'le' ? [] : [[name, value]])),
  );

/** One point for each set of labels, of which Prometheus has a row for each bucket, with all that is below it. */
const histogramsOf = (values: readonly Value[], span: Span): DataPoint<Histogram>[] =>
  [...Map.groupBy(values, ({ labels }) => JSON.stringify(attributesOf(labels))).values()].map((rows) => {
    const buckets = rows.filter(({ labels }) => labels['le'] !== undefined);
    const last = (suffix: string): number => rows.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0;
    return {
      ...span,
      attributes: attributesOf(rows[0]?.labels ?? {}),
      value: {
        buckets: {
          boundaries: buckets.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite),
          counts: buckets.map(({ value }, at) => value - (buckets[at - 1]?.value ?? 0)),
        },
        sum: last('_sum'),
        count: last('_count'),
      },
    };
  });
