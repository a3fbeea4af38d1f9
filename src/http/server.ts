import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Config } from '../config.ts';
import { holdContinue, limitBodies } from './bodies.ts';
import { protectAnswer } from './headers.ts';

/** Time for a request line and headers (ms): a client that takes longer holds a socket for nothing. */
const HEADERS_TIMEOUT = 30_000;
/** Idle time after an answer (ms), longer than that of usual load balancers (60 s) so that they close first. */
const KEEP_ALIVE_TIMEOUT = 72_000;
/** Time without a byte moving in an answer (ms): a reader that has gone without saying so. */
const IDLE_TIMEOUT = 600_000;

/**
 * Time that a refused sender is read on (ms): a connection closed over unread bytes is reset, and its client never
 * sees the answer (RFC 9112, 9.6). It is long enough for one round trip of a request under way.
 */
const LINGER = 2_000;

/** With forward secrecy and authenticated encryption only, the strongest first (RFC 9325, 4.2). */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];
const TLS = { minVersion: 'TLSv1.2', ciphers: CIPHERS.join(':'), honorCipherOrder: true } as const;

/** Senders that have had their refusal. */
const refused = new WeakSet<Socket>();

/** The server below the app: http, or https when a certificate is configured, with every time limit stated. */
export const createHttpServer = (config: Config, listener: RequestListener): Server => {
  const limited = protectedBy(config, oneHost(limitBodies(listener)));
  const server =
    config.tls === undefined
      ? createServer(limited)
      : createTlsServer({ ...config.tls, ...TLS, ALPNProtocols: ['http/1.1'] }, limited);
  holdContinue(server, limited);
  server.headersTimeout = HEADERS_TIMEOUT;
  // Uploads take longer than other requests: bodies.ts has the limits of both.
  server.requestTimeout = 0;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT;
  server.timeout = IDLE_TIMEOUT;
  return server;
};

const protectedBy =
  (config: Config, listener: RequestListener): RequestListener =>
  (request, response) => {
    protectAnswer(response, config);
    listener(request, response);
  };

/** Refuses a request with more than one Host, as RFC 9112 (3.2) asks: the one that Node takes is not everybody's. */
const oneHost =
  (listener: RequestListener): RequestListener =>
  (request, response) => {
    if (hosts(request) > 1) refuseHosts(response);
    else listener(request, response);
  };

/** Host headers of a request; names stand at even places. */
const hosts = ({ rawHeaders }: IncomingMessage): number =>
  rawHeaders.reduce((count, text, at) => (at % 2 === 0 && text.toLowerCase() === 'host' ? count + 1 : count), 0);

const refuseHosts = (response: ServerResponse): void => {
  const id = randomUUID();
  response.writeHead(400, { 'content-type': 'application/json', 'x-request-id': id, connection: 'close' });
  response.end(JSON.stringify({ error: 'the request names two hosts', code: 'REQUEST_INVALID', requestId: id }));
};

/** Answers what cannot be read as HTTP (two lengths, a bare line feed, headers that are too long) and closes. */
export const refuseMalformed = (error: NodeJS.ErrnoException, socket: Socket): void => {
  // What is still on its way after the answer is not HTTP either, and is dropped.
  if (refused.has(socket)) return;
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const id = randomUUID();
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const body = JSON.stringify({ error: 'the request is not valid HTTP', code: 'REQUEST_INVALID', requestId: id });
  refused.add(socket);
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
      `X-Content-Type-Options: nosniff\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), LINGER).unref();
  socket.once('close', () => clearTimeout(timer));
};
