import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Upstream } from '../../upstream/types.ts';
import { createSend, type TellExport } from '../otlp/send.ts';

/** Sends spans to the collector `upstream`. What does not arrive is lost. */
export const createExporter = async (upstream: Pick<Upstream, 'request'>, tell: TellExport): Promise<SpanExporter> => {
  const { ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer');
  const send = createSend(upstream, '/v1/traces', tell);
  return {
    export: (spans, done) => void send(ProtobufTraceSerializer.serializeRequest(spans)).then(done),
    shutdown: async () => undefined,
  };
};
