import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** Time for a whole request with its body (ms); but for uploads no client sends more than a list of paths. */
const REQUEST_TIMEOUT = 120_000;
/** The same for an upload: 10 GiB at 3 MiB/s. A sender that stands still is ended sooner, by the server's idle time. */
const UPLOAD_TIMEOUT = 3_600_000;

const awaiting = new WeakSet<IncomingMessage>();
const uploads = new WeakSet<IncomingMessage>();

/** Gives this request the time that an upload may take. */
export const allowUpload = (request: IncomingMessage): void => void uploads.add(request);

/** True while the sender waits for a word before it sends the body (`Expect: 100-continue`). */
export const awaitsContinue = (request: IncomingMessage): boolean => awaiting.has(request);

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Ends the connection of whoever takes too long to send a body. */
export const limitBodies =
  (listener: RequestListener): RequestListener =>
  (request, response) => {
    if (hasBody(request)) limit(request);
    listener(request, response);
  };

const limit = (request: IncomingMessage): void => {
  const end = (): void => {
    if (!request.complete) request.socket.destroy();
  };
  const look = (): void => {
    if (!uploads.has(request)) end();
    else timer = setTimeout(end, UPLOAD_TIMEOUT - REQUEST_TIMEOUT).unref();
  };
  let timer = setTimeout(look, REQUEST_TIMEOUT).unref();
  request.once('close', () => clearTimeout(timer));
};

/** Leaves senders that wait for `100 Continue` waiting until `sendContinue` finds their request acceptable. */
export const holdContinue = (server: Server, listener: RequestListener): void => {
  server.on('checkContinue', (request: IncomingMessage, response) => {
    awaiting.add(request);
    listener(request, response);
  });
};

/** Says `100 Continue` once nothing speaks against reading the body: callers without a token never send one. */
export const sendContinue = (app: FastifyInstance): void => {
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (awaiting.delete(request.raw)) reply.raw.writeContinue();
    done(null, payload);
  });
};
