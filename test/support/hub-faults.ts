import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

/** What goes wrong. Offsets and lengths are in bytes of the answer, times in ms. */
export type FaultKind =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The connection ends after `at` bytes of body: by FIN, or by RST. */
  | { readonly kind: 'cut'; readonly at: number; readonly rst?: boolean }
  /** Nothing comes for `ms` after `at` bytes of body (before the headers when left out). */
  | { readonly kind: 'stall'; readonly ms: number; readonly at?: number }
  | { readonly kind: 'drip'; readonly chunk: number; readonly ms: number }
  /** One byte of the body is flipped. The offset counts from the start of the file. */
  | { readonly kind: 'flip'; readonly at: number }
  /** A consistent object that is `delta` shorter (negative), or a declared length that never arrives (positive). */
  | { readonly kind: 'length'; readonly delta: number }
  /** A body of `bytes` arbitrary bytes, well framed (by Content-Length unless `nolength`), below the headers of the whole. */
  | { readonly kind: 'stub'; readonly bytes: number }
  /** Range is ignored. */
  | { readonly kind: 'norange' }
  /** No Content-Length: chunked. */
  | { readonly kind: 'nolength' }
  /** The body comes compressed although nobody asked. */
  | { readonly kind: 'gzip' }
  /** An endless body. */
  | { readonly kind: 'endless' }
  /** Headers replaced; `undefined` takes one away. */
  | { readonly kind: 'headers'; readonly headers: Record<string, string | undefined> }
  /** Connection reset before any answer. */
  | { readonly kind: 'reset' };

export type Fault = FaultKind & {
  /** Both hosts when left out. */
  readonly where?: 'hub' | 'cdn';
  readonly method?: string;
  /** Only requests without Range. */
  readonly whole?: boolean;
  /** Tested against the decoded path with its query. */
  readonly match?: RegExp;
  /** How often; for ever when left out. */
  readonly times?: number;
  /** Matching requests that pass unharmed first. */
  readonly skip?: number;
};

export type Faults = {
  add(fault: Fault): void;
  clear(): void;
  /** The faults that apply to this request; each counts as used once. */
  take(where: 'hub' | 'cdn', request: IncomingMessage): readonly Fault[];
};

export const createFaults = (): Faults => {
  let active: { fault: Fault; left: number; skip: number }[] = [];
  return {
    add: (fault) => {
      active.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY, skip: fault.skip ?? 0 });
    },
    clear: () => {
      active = [];
    },
    take(where, request) {
      const path = decodeURIComponent(request.url ?? '');
      const matching = active.filter(
        ({ fault, left }) =>
          left > 0 &&
          (fault.where ?? where) === where &&
          (fault.method ?? request.method) === request.method &&
          !(fault.whole === true && request.headers.range !== undefined) &&
          (fault.match?.test(path) ?? true),
      );
      const hit = matching.filter((entry) => entry.skip-- <= 0);
      for (const entry of hit) entry.left -= 1;
      return hit.map(({ fault }) => fault);
    },
  };
};

const find = <K extends Fault['kind']>(faults: readonly Fault[], kind: K): Extract<Fault, { kind: K }> | undefined =>
  faults.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);

type Body = { readonly size: number; read(start: number, end: number): AsyncIterable<Uint8Array> };
type Sent = { status: number; bytes: number };

/** Faults that come before any answer. True when the request is already dealt with. */
export const failEarly = async (
  faults: readonly Fault[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> => {
  const stall = find(faults, 'stall');
  if (stall !== undefined && stall.at === undefined) await sleep(stall.ms, undefined, { ref: false });
  if (find(faults, 'reset') !== undefined) {
    request.socket.resetAndDestroy();
    return true;
  }
  const status = find(faults, 'status');
  if (status === undefined) return false;
  response.writeHead(status.status, { 'content-type': 'application/json', ...status.headers });
  response.end(request.method === 'HEAD' ? undefined : (status.body ?? '{"error":"injected"}'));
  return true;
};

/** Headers as the faults want them. */
export const bend = (headers: Record<string, string>, faults: readonly Fault[]): Record<string, string> => {
  const fault = find(faults, 'headers');
  if (fault === undefined) return headers;
  const changed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  for (const [name, value] of Object.entries(fault.headers)) {
    if (value === undefined) delete changed[name.toLowerCase()];
    else changed[name.toLowerCase()] = value;
  }
  return changed;
};

/** Answers with a file as a correct server does (Range, If-Range, HEAD, 416), but for the faults. */
export const sendBody = async (
  request: IncomingMessage,
  response: ServerResponse,
  body: Body,
  given: Record<string, string>,
  faults: readonly Fault[],
): Promise<Sent> => {
  const short = Math.min(find(faults, 'length')?.delta ?? 0, 0);
  const size = Math.max(body.size + short, 0);
  const range = find(faults, 'norange') ? undefined : wanted(request, given['ETag'], size);
  if (range === 'outside') {
    response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
    return { status: 416, bytes: 0 };
  }
  const { start, end } = range ?? { start: 0, end: size };
  const status = range === undefined ? 200 : 206;
  const compressed = find(faults, 'gzip') !== undefined;
  const stub = find(faults, 'stub');
  const headers: Record<string, string> = { 'Accept-Ranges': 'bytes', ...given };
  if (range !== undefined) headers['Content-Range'] = `bytes ${start}-${end - 1}/${size}`;
  if (compressed) headers['Content-Encoding'] = 'gzip';
  else if (!find(faults, 'nolength') && !find(faults, 'endless')) {
    const more = Math.max(find(faults, 'length')?.delta ?? 0, 0);
    headers['Content-Length'] = String((stub?.bytes ?? end - start) + more);
  }
  response.writeHead(status, bend(headers, faults));
  response.flushHeaders();
  if (request.method === 'HEAD') {
    response.end();
    return { status, bytes: 0 };
  }
  if (stub !== undefined) {
    response.end(randomBytes(stub.bytes));
    return { status, bytes: stub.bytes };
  }
  const bytes = compressed
    ? compress(body, start, end)
    : flipped(body.read(start, end), start, find(faults, 'flip')?.at);
  return { status, bytes: await pump(request, response, bytes, faults) };
};

const wanted = (request: IncomingMessage, etag: string | undefined, size: number) => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  if (match === null || (condition !== undefined && condition !== etag) || match[0] === 'bytes=-') return undefined;
  const [, first, last] = match;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size);
  return start >= size || start >= end ? ('outside' as const) : { start, end };
};

async function* compress(body: Body, start: number, end: number): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.read(start, end)) chunks.push(chunk);
  yield gzipSync(Buffer.concat(chunks));
}

async function* flipped(chunks: AsyncIterable<Uint8Array>, start: number, at: number | undefined) {
  let position = start;
  for await (const chunk of chunks) {
    const inside = at !== undefined && at >= position && at < position + chunk.length;
    position += chunk.length;
    if (!inside) {
      yield chunk;
      continue;
    }
    const copy = Uint8Array.from(chunk);
    copy[at - (position - chunk.length)]! ^= 0xff;
    yield copy;
  }
}

const pump = async (
  request: IncomingMessage,
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  faults: readonly Fault[],
): Promise<number> => {
  const cut = find(faults, 'cut');
  const stall = find(faults, 'stall');
  const drip = find(faults, 'drip');
  let sent = 0;
  const write = async (chunk: Uint8Array): Promise<void> => {
    if (chunk.length === 0 || response.destroyed) return;
    sent += chunk.length;
    if (!response.write(chunk)) await drained(response);
  };
  for await (const chunk of chunks) {
    const step = drip?.chunk ?? chunk.length;
    for (let at = 0; at < chunk.length && !response.destroyed; at += step) {
      let piece = chunk.subarray(at, at + step);
      if (stall?.at !== undefined && sent <= stall.at && sent + piece.length > stall.at) {
        const before = stall.at - sent;
        await write(piece.subarray(0, before));
        piece = piece.subarray(before);
        await sleep(stall.ms, undefined, { ref: false });
      }
      if (cut !== undefined && sent + piece.length >= cut.at) {
        await write(piece.subarray(0, cut.at - sent));
        await end(request, response, cut.rst ?? false);
        return sent;
      }
      await write(piece);
      if (drip !== undefined) await sleep(drip.ms, undefined, { ref: false });
    }
  }
  while (find(faults, 'endless') && !response.destroyed) await write(new Uint8Array(1 << 16));
  if ((find(faults, 'length')?.delta ?? 0) > 0) await end(request, response, false);
  else response.end();
  return sent;
};

const end = async (request: IncomingMessage, response: ServerResponse, rst: boolean): Promise<void> => {
  await sleep(20, undefined, { ref: false });
  if (rst) request.socket.resetAndDestroy();
  else request.socket.destroySoon();
  if (!response.destroyed) await once(response, 'close');
};

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
