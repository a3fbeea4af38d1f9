import { connect as connectTcp, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { WeighbridgeError } from '../errors.ts';
import { isEncoded } from './decode.ts';
import type { Patience } from './patience.ts';
import { parseHead, type ResponseHead } from './response-head.ts';
import { plainReads, secureReads } from './socket-reads.ts';

/** Bytes of a response head. Signed URLs in Location are long; nothing honest is this long. */
const MAX_HEAD_BYTES = 32 * 1024;
/** Answers of 1xx before the answer. An honest server sends one or two. */
const MAX_ANNOUNCED = 16;

/** A GET to one place, over a connection of its own. */
export type WireRequest = {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Where the body is best read to; see `Upstream.download`. */
  readonly room?: ((ahead: number) => Uint8Array) | undefined;
};

export type WireOptions = {
  /** Whom TLS trusts, made once: reading the authorities takes longer than connecting. */
  readonly trust?: SecureContext;
  /** How names are resolved; the guard against private addresses sits here. */
  readonly lookup?: LookupFunction;
  readonly patience: Patience;
};

/** The bytes of a body; each chunk is overwritten when the next one is asked for. */
export type WireBody = AsyncIterable<Uint8Array> & { destroy(): void };
export type WireReply = ResponseHead & { readonly body: WireBody };

/**
 * Sends a GET and reads the head of its answer. The body of an answer other than 200 and 206 is left out. Undefined
 * when the answer is not framed by one Content-Length (chunked, or until the connection ends) or is compressed: a client
 * library reads those. Rejects as undici does: with the socket's error, or one whose `code` says which time-out it was.
 */
export const getByWire = async (request: WireRequest, options: WireOptions): Promise<WireReply | undefined> => {
  const source = openSource(request, options);
  try {
    const head = await readHead(source, options.patience);
    const wanted = head.status === 200 || head.status === 206;
    const plain = head.length !== undefined && !isEncoded(head.headers['content-encoding']);
    if (wanted && plain) return { ...head, body: bodyOf(source, head.length, options.patience) };
    source.destroy();
    return wanted ? undefined : { ...head, body: bodyOf(source, 0, options.patience) };
  } catch (error) {
    source.destroy();
    throw error;
  }
};

/** What a socket brought: the bytes of one read, which stay until the next is asked for. */
type Source = {
  /** The next bytes; undefined at the end. Rejects when the socket fails or `ms` pass. */
  next(ms: number, code: string): Promise<Uint8Array | undefined>;
  /** Gives bytes back: `next` returns them first. */
  unread(bytes: Uint8Array): void;
  destroy(): void;
};

const openSource = (
  { origin, path, headers, signal, room }: WireRequest,
  { trust, lookup, patience }: WireOptions,
): Source => {
  const url = new URL(origin);
  const text = requestText(url.host, path, headers);
  const reads = url.protocol === 'https:' ? secureReads() : plainReads(room);
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const tell = (): void => {
    wake?.();
    wake = undefined;
  };
  const onread: OnReadOpts = {
    buffer: reads.memory,
    // The socket waits until these bytes were used.
    callback: (count, memory) => {
      if (reads.arrived(memory.subarray(0, count))) setImmediate(tell);
      else socket.destroy(timedOut('UND_ERR_SOCKET'));
      return false;
    },
  };
  const socket = openSocket(url, onread, trust, lookup);
  const fail = (error: Error): void => {
    failure ??= error;
    tell();
  };
  const connecting = setTimeout(() => socket.destroy(timedOut('UND_ERR_CONNECT_TIMEOUT')), patience.connect);
  const abort = (): void => void socket.destroy(new WeighbridgeError('CANCELLED', 'the request was given up'));
  socket.on('error', fail);
  socket.once('end', () => {
    ended = true;
    tell();
  });
  socket.once('close', () => {
    clearTimeout(connecting);
    signal?.removeEventListener('abort', abort);
    ended = true;
    tell();
  });
  socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
    clearTimeout(connecting);
    socket.write(text, 'latin1');
  });
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  let returned: Uint8Array | undefined;
  return {
    async next(ms, code) {
      if (returned !== undefined) {
        const bytes = returned;
        returned = undefined;
        return bytes;
      }
      const timer = setTimeout(() => socket.destroy(timedOut(code)), ms);
      let bytes = reads.next();
      try {
        for (; bytes === undefined && failure === undefined && !ended; bytes = reads.next()) {
          const woken = new Promise<void>((resolve) => {
            wake = resolve;
          });
          socket.resume();
          await woken;
        }
      } finally {
        clearTimeout(timer);
      }
      if (failure !== undefined) throw failure;
      return bytes;
    },
    unread: (bytes) => {
      if (bytes.length > 0) returned = bytes;
    },
    destroy: () => void socket.destroy(),
  };
};

const openSocket = (
  url: URL,
  onread: OnReadOpts,
  secureContext: SecureContext | undefined,
  lookup: LookupFunction | undefined,
): Socket => {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const resolve = lookup === undefined ? {} : { lookup };
  if (url.protocol === 'http:') return connectTcp({ host, port: Number(url.port || 80), onread, ...resolve });
  const trust = secureContext === undefined ? {} : { secureContext };
  const options = { host, port: Number(url.port || 443), ALPNProtocols: ['http/1.1'], onread, ...resolve, ...trust };
  return connectTls(isName(host) ? { ...options, servername: host } : options);
};

/** Server names of TLS are names, never addresses (RFC 6066, 3). */
const isName = (host: string): boolean => !host.includes(':') && !/^[\d.]+$/.test(host);

/** Header values were checked where they came in; a line break here would be another request, so it is never written. */
const requestText = (host: string, path: string, headers: Readonly<Record<string, string>>): string => {
  const lines = Object.entries({ host, connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}`);
  const text = [`GET ${path} HTTP/1.1`, ...lines];
  if (text.some((line) => /[^\t\x20-\x7e\x80-\xff]/.test(line)) || /\s/.test(path))
    throw new WeighbridgeError('REQUEST_INVALID', 'a header for upstream holds a control character');
  return `${text.join('\r\n')}\r\n\r\n`;
};

const readHead = async (source: Source, patience: Patience): Promise<ResponseHead> => {
  let head = Buffer.alloc(0);
  const until = performance.now() + patience.connect + patience.headers;
  for (let announced = 0; ; ) {
    const end = head.indexOf('\r\n\r\n');
    if (end > MAX_HEAD_BYTES || (end < 0 && head.length > MAX_HEAD_BYTES)) throw timedOut('UND_ERR_HEADERS_OVERFLOW');
    if (end < 0) {
      const left = until - performance.now();
      const bytes = left > 0 ? await source.next(left, 'UND_ERR_HEADERS_TIMEOUT') : undefined;
      if (bytes === undefined) throw timedOut(left > 0 ? 'UND_ERR_SOCKET' : 'UND_ERR_HEADERS_TIMEOUT');
      head = Buffer.concat([head, bytes]);
      continue;
    }
    const parsed = parseHead(head.toString('latin1', 0, end));
    head = head.subarray(end + 4);
    if (parsed.status >= 200) {
      source.unread(head);
      return parsed;
    }
    // 1xx only announces the answer (RFC 9110, 15.2); 101 would change the protocol, which nobody asked for.
    announced += 1;
    if (parsed.status === 101 || announced > MAX_ANNOUNCED) throw timedOut('UND_ERR_SOCKET');
  }
};

const bodyOf = (source: Source, length: number, patience: Patience): WireBody => {
  const steps = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (let left = length; left > 0; ) {
        const bytes = await source.next(patience.stall, 'UND_ERR_BODY_TIMEOUT');
        if (bytes === undefined) throw timedOut('UND_ERR_SOCKET');
        // What follows the body on this connection was never asked for.
        yield bytes.length > left ? bytes.subarray(0, left) : bytes;
        left -= bytes.length;
      }
    } finally {
      source.destroy();
    }
  };
  const iterator = steps();
  return { [Symbol.asyncIterator]: () => iterator, destroy: source.destroy };
};

/** The code undici gives the same fault, so that both are told in the same words. */
const timedOut = (code: string): Error => Object.assign(new Error(code), { code });
