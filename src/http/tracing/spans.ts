import { AsyncLocalStorage } from 'node:async_hooks';
import type { Attributes, Context, Span } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { randomHex } from '../../audit/identifiers.ts';
import { isFault } from '../../errors.ts';
import { version } from '../../package.ts';
import { SEND_TIMEOUT, SENDER } from '../otlp/send.ts';
import { redact } from '../redact.ts';
import type { Trace } from '../trace.ts';

/** Spans that wait to be sent; what comes beyond is left out, and no request waits. */
const MAX_WAITING = 2048;
/** Spans sent at once, and ms between two sendings. */
const BATCH = 512;
const DELAY = 2000;
/** Characters of a value: the longest path of a repo is as long. */
const MAX_VALUE = 1024;

export type About = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span that was begun. */
export type Begun = {
  /** Runs `work`, and all that it starts, as a part of this span. */
  within<T>(work: () => T): T;
  tell(about: About): void;
  /** Ends it, with what went wrong if something did: a fault, of which the code is told, or a status. */
  end(error?: unknown): void;
  /** Itself as the `traceparent` of W3C Trace Context. */
  readonly traceparent: string;
};

export type Spans = {
  /** The span of a request, with the ids of its trace. */
  request(trace: Trace, name: string): Begun;
  /** A part of the span that is running; undefined where none is, or where it is not recorded. */
  part(name: string, kind: 'internal' | 'client', about: About): Begun | undefined;
  close(): Promise<void>;
};

/** Spans of this program, sampled as their caller says or else at the rate `sample`, sent by `exporter` in batches. */
export const createSpans = async (exporter: SpanExporter, sample: number): Promise<Spans> => {
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } = await import('@opentelemetry/api');
  const { BatchSpanProcessor, ParentBasedSampler, TracerProvider, TraceIdRatioBasedSampler } = await import(
    '@opentelemetry/sdk-trace'
  );
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  // The ids of a request's span stand in the program's own log already: they are handed to the next span that begins.
  let wanted: Trace | undefined;
  const provider = new TracerProvider({
    resource: resourceFromAttributes(SENDER),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) }),
    spanLimits: { attributeValueLengthLimit: MAX_VALUE },
    idGenerator: {
      generateTraceId: () => wanted?.traceId ?? randomHex(16),
      generateSpanId: () => wanted?.spanId ?? randomHex(8),
    },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: MAX_WAITING,
        maxExportBatchSize: BATCH,
        scheduledDelayMillis: DELAY,
        exportTimeoutMillis: SEND_TIMEOUT,
      }),
    ],
  });
  const tracer = provider.getTracer('weighbridge', version);
  const running = new AsyncLocalStorage<Context>();

  const begun = (span: Span, below: Context): Begun => {
    const { spanId, traceFlags, traceId } = span.spanContext();
    const inside = trace.setSpan(below, span);
    return {
      within: (work) => running.run(inside, work),
      tell: (about) => void span.setAttributes(told(about)),
      end(error) {
        if (error !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR });
          span.setAttribute(
            'error.type',
            typeof error === 'number' ? String(error) : isFault(error) ? error.code : 'INTERNAL',
          );
        }
        span.end();
      },
      traceparent: `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, '0')}`,
    };
  };

  return {
    request(from, name) {
      const { parentId, sampled, traceId } = from;
      const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
      const caller = { traceId, spanId: parentId, traceFlags, isRemote: true };
      const below = parentId === '' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, caller);
      wanted = from;
      try {
        return begun(tracer.startSpan(name, { kind: SpanKind.SERVER }, below), below);
      } finally {
        wanted = undefined;
      }
    },
    part(name, kind, about) {
      const below = running.getStore();
      if (below === undefined || trace.getSpan(below)?.isRecording() !== true) return undefined;
      const options = { kind: kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes: told(about) };
      return begun(tracer.startSpan(name, options, below), below);
    },
    close: () => provider.shutdown(),
  };
};

/** What is said of a span, without credentials. */
const told = (about: About): Attributes =>
  Object.fromEntries(
    Object.entries(about).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? redact(value) : value]],
    ),
  );
