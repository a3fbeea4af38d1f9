import type { FastifyReply } from 'fastify';
import { isOrderRule } from '../../gateway/orders/restrain.ts';
import type { Decision } from '../../policy/types.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { Client } from './clients.ts';
import type { Info } from './info.ts';
import type { Kind } from './urls.ts';

/** Characters of a message: one header line that every client prints whole. */
const MAX_TEXT = 300;

/** Headers of the Hub's errors that clients act on. */
const PASSED = ['x-error-code', 'x-error-message', 'x-repo-commit', 'retry-after', 'ratelimit', 'ratelimit-policy'];

/** One line of printable ASCII, with the request's id at its end unless it is in it already. */
export const refusalLine = (text: string, requestId: string): string => {
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .trim();
  const end = line.includes(requestId) ? '' : ` (request ${requestId})`;
  const room = MAX_TEXT - end.length;
  return (line.length > room ? `${line.slice(0, room - 3)}...` : line) + end;
};

/** A value for `X-Weighbridge-Decision`. */
export const decisionHeader = ({ action, rule }: Pick<Decision, 'action' | 'rule'>): string =>
  `${action}; rule=${rule.replace(/[^\x21-\x7e]/g, '?')}`;

/** An error in the Hub's words: header for HEAD and Python, JSON for JavaScript, llama.cpp and curl. */
export const sendError = (
  reply: FastifyReply,
  status: number,
  code: string | undefined,
  text: string,
): FastifyReply => {
  const line = refusalLine(text, reply.request.id);
  if (code !== undefined) reply.header('x-error-code', code);
  return reply.code(status).header('x-error-message', line).header('cache-control', 'no-store').send({ error: line });
};

/**
 * A refusal by policy, as the code that keeps the text in every client's exception: GatedRepo for files and models. A
 * whole dataset is RepoNotFound, since `load_dataset` loses the text of any other. The command `hf` loses it with any code.
 */
export const sendRefusal = (
  reply: FastifyReply,
  { dropsCodedText }: Pick<Client, 'dropsCodedText'>,
  decision: Pick<Decision, 'action' | 'rule'>,
  text: string,
  whole?: Kind,
): FastifyReply => {
  reply.header('x-weighbridge-decision', decisionHeader(decision));
  if (decision.action === 'quarantine' && !isOrderRule(decision.rule))
    reply.header('x-weighbridge-release', `POST /api/v1/quarantine {"request":"${reply.request.id}","reason":"..."}`);
  if (dropsCodedText) return sendError(reply, 403, undefined, text);
  return whole === 'datasets' || whole === 'spaces'
    ? sendError(reply, 404, 'RepoNotFound', text)
    : sendError(reply, 403, 'GatedRepo', text);
};

/** No such file at this commit. Clients remember that for ever, so it is never said of what is merely not ready. */
export const sendMissing = (reply: FastifyReply, { commit }: Info): FastifyReply =>
  reply
    .code(404)
    .headers({ 'x-repo-commit': commit, 'x-error-code': 'EntryNotFound', 'x-error-message': 'Entry not found' })
    .send({ error: 'Entry not found' });

/** The Hub's own error, unchanged but for what a HEAD could not carry. */
export const passError = (reply: FastifyReply, { status, headers, body }: UpstreamAnswer): FastifyReply => {
  for (const name of PASSED) {
    const value = headers[name];
    if (value !== undefined) reply.header(name, value.replace(/[^\t\x20-\x7e]/g, '?'));
  }
  reply.code(status).header('cache-control', 'no-store');
  if (body.length === 0) return reply.send({ error: headers['x-error-message'] ?? `the Hub answered ${status}` });
  return reply.type(headers['content-type'] ?? 'text/plain; charset=utf-8').send(Buffer.from(body));
};
