import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { Test } from 'tap';
import { isFault, type WeighbridgeError } from '../../src/errors.ts';

/** All bytes of a stream. */
export const collect = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
};
/** The fault that `work` ends with; anything else fails the test. */
export const faultOf = async (work: Promise<unknown>): Promise<WeighbridgeError> => {
  try {
    await work;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

/** A listener that answers later; a fault of its own cuts the connection. */
export const answering =
  (answer: (request: IncomingMessage, response: ServerResponse) => Promise<unknown>): RequestListener =>
  (request, response) => {
    answer(request, response).catch(() => response.destroy());
  };

/** Starts a server on a free port of the loopback interface until the test ends; gives its `http:` origin. */
export const listen = async (
  t: Pick<Test, 'teardown'>,
  server: Server & { closeAllConnections?(): void },
): Promise<string> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections?.();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
