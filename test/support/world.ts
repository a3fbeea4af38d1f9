import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { loadConfig } from '../../src/config.ts';
import type { Timings } from '../../src/gateway/waiting.ts';
import { type Serving, serve } from '../../src/serve.ts';
import { type Hub, type HubOptions, type HubRepo, startHub } from './hub.ts';
import { secured } from './secure.ts';

/** A whole gateway before a stand-in for the Hub, all on loopback. */
export type World = {
  readonly hub: Hub;
  /** What clients are given as HF_ENDPOINT. */
  readonly endpoint: string;
  readonly url: string;
  /** What has clients trust its certificate, as environment variables; nothing over http. */
  readonly trust: Readonly<Record<string, string>>;
  /** The gateway's data folder. */
  readonly data: string;
  /** GET (or another method) below the endpoint, as a client that checks lengths unless told otherwise. */
  fetch(path: string, init?: RequestInit & { readonly agent?: string }): Promise<Response>;
  /** Every entry of the access log so far. */
  entries(): Promise<readonly LogEntry[]>;
  /** Stops the gateway and starts another on the same folder, after what is to be done `meanwhile`. */
  restart(meanwhile?: () => Promise<unknown>): Promise<void>;
};

// biome-ignore lint/suspicious/noExplicitAny: entries are read as an auditor's script would, without types
export type LogEntry = Record<string, any>;

export type WorldOptions = {
  readonly hub?: Partial<HubOptions>;
  /** Whether it is reached over https. */
  readonly secure?: boolean;
  /** Environment variables of the gateway, without `WEIGHBRIDGE_`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly timings?: Partial<Timings>;
};

/** What huggingface_hub calls itself. */
export const HUB_AGENT = 'unknown/None; hf_hub/2.4.0; python/3.11.7';

/** Starts hub and gateway; both end with the test. */
export const startWorld = async (t: Test, repos: readonly HubRepo[], options: WorldOptions = {}): Promise<World> => {
  const data = await mkdtemp(join(tmpdir(), 'weighbridge-test-'));
  const hub = await startHub({ repos, ...options.hub });
  t.teardown(() => hub.close());
  const env: Record<string, string> = {
    WEIGHBRIDGE_DATA: data,
    WEIGHBRIDGE_PORT: '0',
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url,
    WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true',
    WEIGHBRIDGE_SANDBOX_WORKERS: '1',
    WEIGHBRIDGE_LOG_LEVEL: 'error',
    WEIGHBRIDGE_DRAIN: '2s',
  };
  const { settings, trust } = options.secure === true ? secured() : { settings: {}, trust: {} };
  for (const [name, value] of Object.entries({ ...settings, ...options.settings })) env[`WEIGHBRIDGE_${name}`] = value;
  const start = (): Promise<Serving> =>
    serve(loadConfig({ env }), options.timings === undefined ? {} : { timings: options.timings });
  let serving = await start();
  t.teardown(async () => {
    await serving.stop();
    await rm(data, { recursive: true, force: true });
  });
  return {
    hub,
    get url() {
      return serving.url;
    },
    get endpoint() {
      return `${serving.url}/hf`;
    },
    trust,
    data,
    fetch: (path, { agent = HUB_AGENT, headers, ...init } = {}) =>
      fetch(`${serving.url}/hf/${path}`, {
        redirect: 'manual',
        ...init,
        headers: { 'user-agent': agent, 'accept-encoding': 'identity', ...(headers as Record<string, string>) },
      }),
    entries: () => readLog(join(data, 'log')),
    async restart(meanwhile) {
      await serving.stop();
      await meanwhile?.();
      serving = await start();
    },
  };
};

const readLog = async (directory: string): Promise<readonly LogEntry[]> => {
  const { readdir, readFile } = await import('node:fs/promises');
  const names = (await readdir(directory))
    .filter((name) => name.startsWith('audit-') && name.endsWith('.jsonl'))
    .sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts
    .join('')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogEntry);
};

/**
 * Reads a body and finds the longest pause in it: with how many bytes it began. Where upstream is stalled on purpose,
 * that is what had left before the file was whole, however slow the machine is.
 */
export const readWithPause = async (answer: Response): Promise<{ body: Buffer; beforePause: number }> => {
  const chunks: Uint8Array[] = [];
  let [total, last, longest, beforePause] = [0, performance.now(), 0, 0];
  for await (const chunk of answer.body ?? []) {
    const now = performance.now();
    if (chunk.length > 1 && now - last > longest) [longest, beforePause] = [now - last, total];
    last = now;
    chunks.push(chunk);
    total += chunk.length;
  }
  return { body: Buffer.concat(chunks), beforePause };
};

/** A JSON answer, without types, as a client's script would read it. */
export const jsonOf = async (answer: Response): Promise<LogEntry> => (await answer.json()) as LogEntry;
