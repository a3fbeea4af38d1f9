import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/**
 * Sends bytes with backpressure. Nothing has been sent when the first chunk fails: that error is thrown and can still be
 * worded. Later the connection ends with FIN and a short body, so that a client that counts retries and reads why.
 */
export const sendBytes = async (
  reply: FastifyReply,
  status: number,
  headers: Readonly<Record<string, string>>,
  length: number,
  body: AsyncIterable<Uint8Array>,
): Promise<void> => {
  const chunks = body[Symbol.asyncIterator]();
  let next = await chunks.next();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(status, { ...headers, 'content-length': length });
  let left = length;
  try {
    while (next.done !== true) {
      // What is not asked for any more has not been sent.
      if (raw.destroyed) return;
      const chunk = next.value;
      left -= chunk.length;
      if (left < 0) throw new RangeError('more bytes than were announced');
      // A body of one chunk has memory of its own; that of a later one may belong to another file when it is not asked for any more.
      if (chunk.length === length) raw.write(chunk);
      else await written(raw, chunk);
      if (raw.destroyed) return;
      next = await chunks.next();
    }
  } catch (error) {
    reply.request.log.warn({ err: error }, 'a body ended early');
    left = -1;
  } finally {
    await chunks.return?.().catch(() => undefined);
  }
  if (left === 0) raw.end();
  else endEarly(raw);
};

/**
 * Resolves when the system has taken the chunk, so that its memory may be used for the next one, or when there is nobody
 * left to write to.
 */
const written = (raw: ServerResponse, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      raw.off('close', done);
      resolve();
    };
    raw.on('close', done);
    raw.write(chunk, done);
  });

/** What was written goes out, then FIN. `destroy` would drop it, `end` would leave the client waiting for the rest. */
const endEarly = (raw: ServerResponse): void => {
  if (raw.socket === null) raw.destroy();
  else raw.socket.destroySoon();
};

/** Lets go of bytes that will not be sent. */
export const leave = async (body: AsyncIterable<Uint8Array> | undefined): Promise<void> => {
  await body?.[Symbol.asyncIterator]().return?.();
};
