import { WeighbridgeError } from '../errors.ts';
import { readBody } from './metadata.ts';
import { asFault, DEFAULT_PATIENCE } from './patience.ts';
import { createSender, type Headers } from './send.ts';
import type { Origin } from './types.ts';

/** Bytes of one answer: documents, keys and tokens of identity providers have a few KiB, with hundreds of groups some 50. */
const MAX_BYTES = 1024 * 1024;
/** ms from a request to the end of its answer: a person waits for it. */
const MAX_TIME = 10_000;
/** Headers of an answer that its reader gets. */
const TOLD = ['content-type', 'www-authenticate'];
/** Statuses that have no body, which `Response` insists on. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

type Sent = {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
};

/** Requests of a protocol whose library wants to be given a `fetch`. */
export type Exchange = {
  /**
   * One request, sent once, without following redirects. Rejects with UPSTREAM_UNREACHABLE for 429 and 5xx too, with
   * UPSTREAM_BLOCKED for places that may not be asked, with UPSTREAM_TOO_LARGE for answers over 1 MiB.
   */
  send(url: string, sent: Sent): Promise<Response>;
  close(): Promise<void>;
};

/** Requests to `origin` and the places that it names: those over TLS only, and to public addresses unless `allowPrivate`. */
export const createExchange = (
  origin: Origin,
  allowPrivate: boolean,
  { time = MAX_TIME }: { readonly time?: number } = {},
): Exchange => {
  const sender = createSender(origin, allowPrivate, DEFAULT_PATIENCE);
  return {
    async send(url, { method, headers, body, signal }) {
      if (method !== 'GET' && method !== 'POST') throw new WeighbridgeError('REQUEST_INVALID', `${method} is not sent`);
      const place = sender.place(url);
      const { host } = new URL(place.origin);
      if (place.origin !== sender.origin && !place.origin.startsWith('https:'))
        throw new WeighbridgeError('UPSTREAM_BLOCKED', `${host} is not asked: without TLS`, { host });
      const text = bodyText(body);
      const limit = AbortSignal.timeout(time);
      const signals = signal === undefined ? [limit] : [limit, signal];
      try {
        const reply = await sender.send({
          ...place,
          method,
          headers,
          ...(text !== undefined && { body: text }),
          signal: AbortSignal.any(signals),
          addressed: true,
        });
        const bytes = await readBody(reply, MAX_BYTES);
        if (reply.status === 429 || reply.status >= 500)
          throw new WeighbridgeError('UPSTREAM_UNREACHABLE', `${host}: it answered with ${reply.status}`, { host });
        const told = TOLD.flatMap((name) => {
          const value = reply.headers[name];
          return value === undefined ? [] : [[name, value] as [string, string]];
        });
        const whole = WITHOUT_BODY.has(reply.status) ? null : Buffer.from(bytes);
        return new Response(whole, { status: reply.status, headers: told });
      } catch (error) {
        if (!limit.aborted) throw asFault(error, host, signal);
        throw new WeighbridgeError('UPSTREAM_UNREACHABLE', `${host}: no answer within ${time / 1000} s`, { host });
      }
    },
    close: sender.close,
  };
};

const bodyText = (body: unknown): string | undefined => {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string' || body instanceof URLSearchParams) return String(body);
  throw new WeighbridgeError('REQUEST_INVALID', 'the body of the request is no text');
};
