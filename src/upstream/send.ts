import { createSecureContext, rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { WeighbridgeError } from '../errors.ts';
import { checkForeign, checkNameOnly, publicLookup } from './guard.ts';
import { asFault, type Patience } from './patience.ts';
import type { Origin } from './types.ts';
import { getByWire, type WireBody } from './wire.ts';

/** Connections to one origin. */
const CONNECTIONS = 128;
/** Redirects in a row. The Hub needs two: a renamed repo, then the second host. */
const MAX_REDIRECTS = 5;
/** Bytes of response headers. Signed URLs are long; nothing honest is this long. */
const MAX_HEADER_BYTES = 32 * 1024;
/** Bytes of a body read ahead. At undici's 64 KiB the socket is paused and resumed for each chunk, which halves the rate. */
const BODY_BUFFER = 1024 * 1024;
/** Bytes of an unwanted body read to keep a connection; beyond, the connection is dropped. */
const MAX_DUMP_BYTES = 64 * 1024;

export type Headers = Readonly<Record<string, string>>;

/** One request to one place. `path` goes out exactly as it stands here. */
export type Hop = {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly origin: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** The answer may be large: it comes over a connection of its own where that is possible. */
  readonly large?: boolean;
  /** Its Authorization is meant for this very place, also where that is not the configured origin. */
  readonly addressed?: true;
  /** Where its bytes are best read to; see `Upstream.download`. */
  readonly room?: ((ahead: number) => Uint8Array) | undefined;
};

/** An answer whose body has not been read. Whoever holds it reads the body or calls `discard`. */
export type Reply = {
  readonly status: number;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Headers;
  readonly body: Dispatcher.ResponseData['body'] | WireBody;
  /** Where it came from in the end. */
  readonly origin: string;
  readonly path: string;
};

export type Sender = {
  /** Scheme, host and port of the configured origin. */
  readonly origin: string;
  /** A path below the origin's url, or an absolute URL, as a place to send to. Throws REQUEST_INVALID, UPSTREAM_BLOCKED. */
  place(url: string): { origin: string; path: string };
  /** One request, no redirect followed. The caller's Authorization and the configured token go to the configured origin only. */
  send(hop: Hop): Promise<Reply>;
  /** Follows redirects, each through the same checks; `across` allows another origin, else such a redirect is the answer. */
  follow(hop: Hop, across: boolean): Promise<Reply>;
  close(): Promise<void>;
};

/** Sends requests for one configured origin: pools, address guard, forward proxy, extra authorities. */
export const createSender = (origin: Origin, allowPrivate: boolean, patience: Patience): Sender => {
  const base = new URL(origin.url);
  const prefix = base.pathname.replace(/\/+$/, '');
  const trusted = createDispatcher(origin, patience, false);
  const guarded = allowPrivate ? trusted : createDispatcher(origin, patience, true);

  const judge = (url: URL): void => {
    if (url.origin === base.origin) return;
    checkForeign(url, allowPrivate);
    if (origin.proxy !== undefined) checkNameOnly(url, allowPrivate);
    if (base.protocol === 'https:' && url.protocol === 'http:') {
      throw new WeighbridgeError('UPSTREAM_BLOCKED', `${url.host} is not fetched from: from https down to http`);
    }
  };

  const place = (url: string): { origin: string; path: string } => {
    if (!url.startsWith('/')) {
      const absolute = parseUrl(url);
      judge(absolute);
      return { origin: absolute.origin, path: absolute.pathname + absolute.search };
    }
    if (!/^[\x21-\x7e]+$/.test(url)) throw new WeighbridgeError('REQUEST_INVALID', 'the path is not percent-encoded');
    return { origin: base.origin, path: prefix + url };
  };

  const trust = origin.ca === undefined ? undefined : createSecureContext({ ca: [...rootCertificates, origin.ca] });

  /** Undefined where undici has to: behind a forward proxy, and when the answer is not framed plainly. */
  const sendByWire = async (hop: Hop, headers: Headers, open: boolean): Promise<Reply | undefined> => {
    if (hop.large !== true || hop.method !== 'GET' || origin.proxy !== undefined) return undefined;
    const guard = open ? {} : { lookup: publicLookup };
    const reply = await getByWire({ ...hop, headers }, { patience, ...(trust && { trust }), ...guard });
    return reply === undefined ? undefined : { ...reply, origin: hop.origin, path: hop.path };
  };

  const send = async (hop: Hop): Promise<Reply> => {
    const home = hop.origin === base.origin;
    const dispatcher = home ? trusted : guarded;
    const sent = outgoing(hop.headers, home, home ? origin.token : undefined, home || hop.addressed === true);
    try {
      const reply = await sendByWire(hop, sent, home || allowPrivate);
      if (reply !== undefined) return reply;
      const { statusCode, headers, body } = await dispatcher.request({
        origin: hop.origin,
        path: hop.path,
        method: hop.method,
        headers: sent,
        body: hop.body ?? null,
        signal: hop.signal ?? null,
        highWaterMark: BODY_BUFFER,
      });
      body.on('error', ignore);
      return { status: statusCode, headers: flatten(headers), body, origin: hop.origin, path: hop.path };
    } catch (error) {
      throw asFault(error, new URL(hop.origin).host, hop.signal);
    }
  };

  const follow = async (hop: Hop, across: boolean): Promise<Reply> => {
    let at = hop;
    for (let redirects = 0; ; redirects++) {
      const reply = await send(at);
      const location = reply.headers['location'];
      if (![301, 302, 303, 307, 308].includes(reply.status) || location === undefined) return reply;
      const next = new URL(location, at.origin + at.path);
      if (next.origin !== base.origin && !across) return reply;
      await discard(reply);
      if (redirects === MAX_REDIRECTS) {
        throw new WeighbridgeError('UPSTREAM_REFUSED', `more than ${MAX_REDIRECTS} redirects`, { host: base.host });
      }
      judge(next);
      at = { ...at, origin: next.origin, path: next.pathname + next.search };
    }
  };

  return {
    origin: base.origin,
    place,
    send,
    follow,
    async close() {
      await Promise.all([...new Set([trusted, guarded])].map((dispatcher) => dispatcher.destroy()));
    },
  };
};

/** Whoever reads a body gets its error; one that is destroyed unread must not end the process with it. */
const ignore = (): void => undefined;

/** Lets go of a body that nobody wants. */
export const discard = async (reply: Reply): Promise<void> => {
  try {
    if ('dump' in reply.body) await reply.body.dump({ limit: MAX_DUMP_BYTES });
    else reply.body.destroy();
  } catch {
    // A body that cannot be read to its end takes its connection with it, which is all that is wanted here.
  }
};

const parseUrl = (url: string): URL => {
  const parsed = URL.parse(url);
  if (parsed === null) throw new WeighbridgeError('REQUEST_INVALID', 'not a URL');
  return parsed;
};

const createDispatcher = (origin: Origin, patience: Patience, guarded: boolean): Dispatcher => {
  const tls = origin.ca === undefined ? {} : { ca: [...rootCertificates, origin.ca] };
  const common = {
    connections: CONNECTIONS,
    allowH2: false,
    headersTimeout: patience.headers,
    bodyTimeout: patience.stall,
    maxHeaderSize: MAX_HEADER_BYTES,
    connectTimeout: patience.connect,
  };
  if (origin.proxy !== undefined)
    return new ProxyAgent({ ...common, uri: origin.proxy, requestTls: tls, proxyTls: tls });
  const lookup = guarded ? { lookup: publicLookup } : {};
  return new Agent({ ...common, connect: { ...tls, ...lookup, timeout: patience.connect } });
};

/** Credentials stay at home; nothing is asked for compressed. */
const outgoing = (
  headers: Headers,
  home: boolean,
  token: string | undefined,
  addressed: boolean,
): Record<string, string> => {
  const sent: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (lower === 'authorization' ? addressed : home || lower !== 'cookie') sent[lower] = value;
  }
  return { 'user-agent': 'weighbridge', ...sent, 'accept-encoding': 'identity' };
};

const flatten = (headers: Readonly<Record<string, string | string[] | undefined>>): Headers => {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
};
