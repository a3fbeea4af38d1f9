import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Config, type ConfiguredToken, isLoopback } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';

/** Answered without a token: an orchestrator's probes have none. */
const OPEN = new Set(['/healthz', '/readyz']);

/** Carries our token where `Authorization` is needed for the upstream's. */
const TOKEN_HEADER = 'x-weighbridge-token';

/**
 * Lets only callers with a configured token in, when there are any. The token is taken out of the request: it opens
 * this gateway and must never travel upstream. Without tokens, a gateway on the loopback interface answers only to
 * names that a page in a browser cannot have pointed here.
 */
export const guard = (app: FastifyInstance, config: Config): void => {
  const { tokens } = config.auth;
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', async (request) => {
    if (tokens.length > 0) request.caller = OPEN.has(request.url) ? undefined : authenticate(request, tokens);
    else if (isLoopback(config.host)) refuseRebinding(request, config.publicUrl);
  });
};

const authenticate = (request: FastifyRequest, tokens: readonly ConfiguredToken[]): { name: string; team: string } => {
  const { headers } = request.raw;
  const own = headers[TOKEN_HEADER];
  const name = typeof own === 'string' ? TOKEN_HEADER : 'authorization';
  const presented = typeof own === 'string' ? [own] : credentials(headers.authorization ?? '');
  delete headers[name];
  const known = presented.map((token) => find(token, tokens)).find((token) => token !== undefined);
  if (known !== undefined) return { name: known.name, team: known.team };
  const message = `this gateway needs a token, as bearer, as password, or in the header ${TOKEN_HEADER}`;
  throw new WeighbridgeError(
    'UNAUTHENTICATED',
    presented.length === 0 ? message : `the token is not known: ${message}`,
  );
};

/** The secrets in an Authorization value: a bearer token, or both halves of a basic one. */
const credentials = (authorization: string): readonly string[] => {
  const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return [value];
  if (scheme.toLowerCase() !== 'basic') return [];
  const [user = '', ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return [password.join(':'), user].filter((part) => part !== '');
};

/** Compares with every token, in a time that does not tell how far a guess was right. */
const find = (presented: string, tokens: readonly ConfiguredToken[]): ConfiguredToken | undefined => {
  const digest = createHash('sha256').update(presented).digest();
  return tokens.filter((token) => timingSafeEqual(digest, Buffer.from(token.sha256, 'hex')))[0];
};

/**
 * A web page can point its own name at 127.0.0.1 and then read answers (DNS rebinding). It cannot do that to a literal
 * address or to `localhost`.
 */
const refuseRebinding = (request: FastifyRequest, publicUrl: string | undefined): void => {
  const name = request.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const expected = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === expected) return;
  throw new WeighbridgeError(
    'REQUEST_INVALID',
    'this gateway listens for this machine only and does not know the name it was called by; set publicUrl to that name',
  );
};
