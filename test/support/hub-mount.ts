import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { loadConfig } from '../../src/config.ts';
import { huggingface } from '../../src/ecosystems/huggingface/plugin.ts';
import { createApp } from '../../src/http/app.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { createUpstream } from '../../src/upstream/upstream.ts';
import { createFakeGateway, type FakeGateway, noRules } from './fake-gateway.ts';
import { type Hub, type HubOptions, startHub } from './hub.ts';
import { createMemoryRecords } from './memory-records.ts';

export type Answered = { status: number; headers: Headers; bytes: Buffer; text: string; json: unknown };

export type HubMount = {
  readonly hub: Hub;
  readonly gateway: FakeGateway;
  /** Of the mount: `http://127.0.0.1:…/hf`. */
  readonly url: string;
  get(path: string, init?: RequestInit): Promise<Answered>;
  head(path: string, headers?: Record<string, string>): Promise<Answered>;
  /** Sends bytes as they are and gives everything that comes back until the connection ends. */
  raw(request: string): Promise<{ text: string; ended: 'fin' | 'rst' }>;
  /** Forgets what was asked and how to misbehave. */
  reset(): void;
  close(): Promise<void>;
};

type Options = HubOptions & { readonly allowPrivate?: boolean; readonly env?: Record<string, string> };

/** The Hub's mount on the real HTTP layer, between a stand-in hub and a gateway that inspects nothing. */
export const startHubMount = async (options: Options): Promise<HubMount> => {
  const hub = await startHub(options);
  const patience = { connect: 500, headers: 9000, stall: 1000, backoff: 5, longestPause: 50, longestDownloadPause: 50 };
  const upstream = createUpstream({ origin: { url: hub.url }, allowPrivate: options.allowPrivate ?? true, patience });
  const gateway = createFakeGateway();
  const { server } = await createApp({
    config: loadConfig({ env: { WEIGHBRIDGE_PORT: '0', ...options.env } }),
    ecosystems: [
      {
        ecosystem: huggingface,
        deps: {
          gateway,
          upstream,
          records: createMemoryRecords(),
          credentialOf: () => undefined,
          publicUrl: undefined,
        },
        mount: huggingface.mount,
      },
    ],
    metrics: createMetrics(),
    health: async () => [],
    lookups: { reports: async () => undefined, facts: async () => undefined },
    logger: pino({ level: 'silent' }),
  });
  const origin = await server.listen({ port: 0, host: '127.0.0.1' });
  const url = origin + huggingface.mount;
  const ask = async (path: string, init: RequestInit): Promise<Answered> => {
    const response = await fetch(url + path, { redirect: 'manual', ...init });
    const bytes = Buffer.from(await response.arrayBuffer());
    const text = bytes.toString('utf8');
    const isJson = response.headers.get('content-type')?.includes('json') === true && text !== '';
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  };
  return {
    hub,
    gateway,
    url,
    get: (path, init = {}) => ask(path, init),
    head: (path, headers = {}) => ask(path, { method: 'HEAD', headers }),
    raw: (request) => exchange(Number(new URL(origin).port), request),
    reset() {
      hub.heal();
      hub.log.length = 0;
      gateway.rules = noRules();
      gateway.seen.length = 0;
    },
    async close() {
      await server.close();
      await upstream.close();
      await hub.close();
    },
  };
};

const exchange = async (port: number, request: string): Promise<{ text: string; ended: 'fin' | 'rst' }> => {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  let ended: 'fin' | 'rst' = 'fin';
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {
    ended = 'rst';
  });
  socket.setTimeout(3000, () => socket.destroy());
  socket.write(request, 'latin1');
  await once(socket, 'close');
  return { text: Buffer.concat(chunks).toString('latin1'), ended };
};
