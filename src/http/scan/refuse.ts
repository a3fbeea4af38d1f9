import type { FastifyReply, FastifyRequest } from 'fastify';
import { awaitsContinue } from '../bodies.ts';
import { sendError } from '../errors.ts';

/** How long the rest of a refused upload is read and thrown away (ms): closing at once would reset the answer away. */
const LINGER = 2_000;

/** Lets go of a request whose body has not been read to its end: whatever is answered leaves, then the connection closes. */
export const letGo = ({ raw }: FastifyRequest, reply: FastifyReply): void => {
  // Whoever waits for a word sends nothing now, or does not wait: the connection is of no more use.
  if (awaitsContinue(raw)) {
    reply.header('connection', 'close');
    return;
  }
  reply.raw.once('finish', () => {
    if (raw.complete) return;
    const timer = setTimeout(() => raw.socket.destroy(), LINGER);
    raw.once('close', () => clearTimeout(timer));
  });
  raw.unpipe();
  raw.resume();
};

/** Answers such a request with an error of its own wording, at once. */
export const refuseUnread = (
  request: FastifyRequest,
  reply: FastifyReply,
  error: { readonly status: number; readonly code: string; readonly message: string },
): FastifyReply => {
  letGo(request, reply);
  return sendError(request, reply, error);
};
