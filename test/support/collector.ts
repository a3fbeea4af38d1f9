import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answering } from './wire.ts';

/** A span as a collector is sent it: ids in hex, empty where there is none. */
export type SentSpan = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
};

/** One point of a metric as a collector is sent it. */
export type SentPoint = {
  readonly name: string;
  readonly kind: 'gauge' | 'sum' | 'histogram';
  /** 2 is cumulative; 0 for a gauge. */
  readonly temporality: number;
  readonly monotonic: boolean;
  /** ns since the epoch. */
  readonly start: bigint;
  readonly time: bigint;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** What a gauge or a sum is; the sum of a histogram. */
  readonly value: number;
  readonly count: number;
  readonly counts: readonly number[];
  readonly bounds: readonly number[];
};

export type Collector = {
  readonly url: string;
  /** Every request with spans that arrived, as bytes. */
  readonly bodies: readonly Buffer[];
  /** Headers of each request. */
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  spans(): readonly SentSpan[];
  /** The points of each request with metrics that arrived. */
  metrics(): readonly (readonly SentPoint[])[];
  /** Answers with this status from now on. */
  answer(status: number): void;
  close(): Promise<void>;
};

/** A receiver of OTLP over HTTP on the loopback interface; `port` where it is to be found again. */
export const startCollector = async (port = 0): Promise<Collector> => {
  const [bodies, metrics, headers]: [Buffer[], Buffer[], Readonly<Record<string, unknown>>[]] = [[], [], []];
  let status = 200;
  const server = createServer(
    answering(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, url } = request;
      const kept = url === '/v1/traces' ? bodies : url === '/v1/metrics' ? metrics : undefined;
      const right = method === 'POST' && kept !== undefined;
      if (right && status === 200) {
        kept.push(Buffer.concat(chunks));
        headers.push(request.headers);
      }
      response.writeHead(right ? status : 404, { 'content-type': 'application/x-protobuf' }).end();
    }),
  );
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    headers,
    spans: () => bodies.flatMap(decodeSpans),
    metrics: () => metrics.map(decodePoints),
    answer(next) {
      status = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

type Field = { readonly number: number; readonly value: Buffer | bigint };

/** The fields of a Protocol Buffers message. */
const fieldsOf = (bytes: Buffer): readonly Field[] => {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7n;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    if ((tag & 7) === 0) fields.push({ number, value: varint() });
    else if ((tag & 7) === 1) {
      fields.push({ number, value: bytes.readBigUInt64LE(at) });
      at += 8;
    } else if ((tag & 7) === 5) {
      fields.push({ number, value: BigInt(bytes.readUInt32LE(at)) });
      at += 4;
    } else {
      const length = Number(varint());
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
};

const messages = (bytes: Buffer, number: number): readonly Buffer[] =>
  fieldsOf(bytes).flatMap((field) => (field.number === number && Buffer.isBuffer(field.value) ? [field.value] : []));

/** ExportTraceServiceRequest: resource_spans (1), scope_spans (2), spans (2), by opentelemetry-proto 1. */
const decodeSpans = (body: Buffer): readonly SentSpan[] =>
  messages(body, 1)
    .flatMap((resource) => messages(resource, 2))
    .flatMap((scope) => messages(scope, 2))
    .map((span) => {
      const [traceId, spanId, parentId] = [1, 2, 4].map((one) => messages(span, one)[0]?.toString('hex') ?? '');
      const status = messages(span, 15).flatMap((one) => fieldsOf(one).filter(({ number }) => number === 3));
      return {
        traceId: traceId ?? '',
        spanId: spanId ?? '',
        parentId: parentId ?? '',
        name: messages(span, 5)[0]?.toString() ?? '',
        kind: Number(fieldsOf(span).find(({ number }) => number === 6)?.value ?? 0),
        failed: status.some(({ value }) => value === 2n),
        attributes: Object.fromEntries(messages(span, 9).map(attribute)),
      };
    });

/** Fields that hold the points of a metric: gauge (5), sum (7), histogram (9). */
const KINDS = [
  ['gauge', 5],
  ['sum', 7],
  ['histogram', 9],
] as const;

/** ExportMetricsServiceRequest: resource_metrics (1), scope_metrics (2), metrics (2), by opentelemetry-proto 1. */
const decodePoints = (body: Buffer): readonly SentPoint[] =>
  messages(body, 1)
    .flatMap((resource) => messages(resource, 2))
    .flatMap((scope) => messages(scope, 2))
    .flatMap((metric) =>
      KINDS.flatMap(([kind, field]) =>
        messages(metric, field).flatMap((data) =>
          messages(data, 1).map((point): SentPoint => {
            const at = (number: number): bigint => {
              const value = fieldsOf(point).find((one) => one.number === number)?.value;
              return typeof value === 'bigint' ? value : 0n;
            };
            const flag = (number: number): number =>
              Number(fieldsOf(data).find((one) => one.number === number)?.value ?? 0);
            const histogram = kind === 'histogram';
            const packed = (number: number): Buffer => messages(point, number)[0] ?? Buffer.alloc(0);
            return {
              name: messages(metric, 1)[0]?.toString() ?? '',
              kind,
              temporality: flag(2),
              monotonic: flag(3) === 1,
              start: at(2),
              time: at(3),
              attributes: Object.fromEntries(messages(point, histogram ? 9 : 7).map(attribute)),
              value: double(at(histogram ? 5 : 4)),
              count: histogram ? Number(at(4)) : 0,
              counts: histogram ? eights(packed(6)).map(Number) : [],
              bounds: histogram ? eights(packed(7)).map(double) : [],
            };
          }),
        ),
      ),
    );

const eights = (bytes: Buffer): bigint[] =>
  Array.from({ length: bytes.length / 8 }, (_, at) => bytes.readBigUInt64LE(8 * at));

const double = (bits: bigint): number => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(bits);
  return bytes.readDoubleLE();
};

const attribute = (pair: Buffer): [string, string | number] => {
  const [value] = messages(pair, 2).flatMap((one) => fieldsOf(one));
  const said = value?.value ?? 0n;
  return [messages(pair, 1)[0]?.toString() ?? '', Buffer.isBuffer(said) ? said.toString() : Number(said)];
};
