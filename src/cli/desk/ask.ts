import { z } from 'zod';
import { type Config, isLoopback } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createUpstream } from '../../upstream/upstream.ts';

/** Asks a running gateway at its own API. */
export type Ask = {
  /** GET, or POST of `body`; `path` is what stands below `/api/v1/`. Throws REQUEST_INVALID with what the gateway says. */
  ask<T>(expected: z.ZodType<T>, path: string, body?: object): Promise<T>;
  close(): Promise<void>;
};

const fault = z.object({ error: z.string() });

/** Where the gateway of these settings listens, as seen from this machine. */
const urlOf = ({ host, port, tls }: Config): string => {
  const near = isLoopback(host) ? host : '127.0.0.1';
  return `${tls === undefined ? 'http' : 'https'}://${near.includes(':') ? `[${near}]` : near}:${port}`;
};

/** The gateway at a URL, or that of the settings; `token` is that of whoever asks. */
export const openAsk = (config: Config, gateway: string | undefined, token: string | undefined): Ask => {
  const url = gateway ?? urlOf(config);
  // Once: what is asked for again is another one.
  const patience = { attempts: 1 };
  const origin = { url, ...(token !== undefined && { token }) };
  const upstream = createUpstream({ origin, allowPrivate: true, patience });
  return {
    async ask(expected, path, body) {
      const answer = await upstream.request({
        url: `/api/v1/${path}`,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? { method: 'GET' } : { method: 'POST', body: JSON.stringify(body) }),
      });
      const json = parse(answer.body);
      const parsed = expected.safeParse(json);
      if (answer.status < 300 && parsed.success) return parsed.data;
      const why = fault.safeParse(json).data?.error ?? `status ${answer.status}`;
      throw new WeighbridgeError('REQUEST_INVALID', `the gateway at ${url} says: ${why}`);
    },
    close: upstream.close,
  };
};

const parse = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
};
