import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isFault } from '../errors.ts';
import { headerText, redact } from './redact.ts';
import type { Refusals } from './refused.ts';

type Worded = { readonly status: number; readonly code: string; readonly message: string };

const INTERNAL =
  'something failed inside the gateway; its operators find the reason in their log under this request id';

/** Seconds after which a request that met a passing fault may come again. */
const RETRY_AFTER = 5;

/** How an error looks from outside: its own words for faults that concern the caller, one sentence for all others. */
const worded = (error: FastifyError): Worded => {
  if (isFault(error)) {
    const { status, code } = error;
    return { status, code, message: status === 500 ? INTERNAL : redact(error.message) };
  }
  const status = error.statusCode ?? 500;
  if (status < 400 || status >= 500) return { status: 500, code: 'INTERNAL', message: INTERNAL };
  return { status, code: 'REQUEST_INVALID', message: redact(error.message) };
};

const handle = (error: FastifyError, request: FastifyRequest, reply: FastifyReply, refused: Refusals): FastifyReply => {
  const unknown = isFault(error, 'UNAUTHENTICATED') || isFault(error, 'FORBIDDEN');
  if (unknown || isFault(error, 'RATE_LIMITED')) refused(request, error);
  const { status, code, message } = worded(error);
  if (status >= 500) request.log.error({ err: error, code }, 'request failed');
  if (isFault(error) && error.retry) reply.header('retry-after', RETRY_AFTER);
  if (isFault(error, 'UNAUTHENTICATED')) reply.header('www-authenticate', 'Basic realm="weighbridge"');
  // The one code with which clients of the Hub print the text of a 403.
  if (isFault(error, 'FORBIDDEN')) reply.header('x-error-code', 'GatedRepo');
  return sendError(request, reply, { status, code, message });
};

/** Answers with an error in the form that every error of ours has; Hub clients print the header. */
export const sendError = (
  request: FastifyRequest,
  reply: FastifyReply,
  { status, code, message }: Worded,
): FastifyReply =>
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .header('x-error-message', headerText(`${message} (request ${request.id})`))
    .send({ error: message, code, requestId: request.id });

/** Makes every error of `app` an answer with status, code and request id; defects and their text stay in the log. */
export const handleErrors = (app: FastifyInstance, mounts: readonly string[], refused: Refusals): void => {
  app.setErrorHandler((error: FastifyError, request, reply) => handle(error, request, reply, refused));
  app.setNotFoundHandler((request, reply) =>
    sendError(request, reply, {
      status: 404,
      code: 'NOT_FOUND',
      message: `nothing is served here; there is ${mounts.join(', ')}`,
    }),
  );
};

/** Answers a URL that cannot even be matched (a broken percent escape); no hook has run for it. */
export const refuseUnroutable = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
  reply.raw.setHeader('x-request-id', request.id);
  sendError(request, reply, worded(error));
};
