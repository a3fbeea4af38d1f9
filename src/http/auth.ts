import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Config, type ConfiguredToken, isLoopback } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import type { Sessions } from '../gateway/sessions.ts';
import type { FoundToken, Tokens } from '../gateway/tokens.ts';
import type { Identity } from '../identity/roles.ts';
import type { Belonging } from '../identity/team.ts';
import { isTokenForm } from '../identity/token-form.ts';
import { checkRights, OPEN, SIGN_IN, type Subject } from './rights.ts';
import { refuseForgery, takeSession } from './session-cookie.ts';
import { teamInPath } from './team-path.ts';
import { addressKey, createThrottle } from './throttle.ts';

/** Carries our token where `Authorization` is needed for the upstream's. */
const TOKEN_HEADER = 'x-weighbridge-token';

/** What callers are known by. `mounts` says where each ecosystem is mounted. */
export type Gate = {
  readonly config: Config;
  readonly mounts: Readonly<Record<string, string>>;
  /** Tokens that the gateway made, beside those in its settings. */
  readonly tokens?: Tokens;
  /** People who are signed in. */
  readonly sessions?: Sessions;
};

/** Requests of one caller to our own API, and to what needs no token: far more than any client sends, too few to wear it out. */
const API_RATE = { burst: 2_000, perSecond: 200, slots: 65_536 };

/**
 * Lets in who may come in, to what it may do. A token of ours is taken out of the request: it opens this gateway and must
 * never travel upstream, whether it is still good or not. Where none is asked for, one that comes is looked at all the
 * same; a gateway on the loopback interface then answers only to names that a page in a browser cannot have pointed here.
 */
export const guard = (app: FastifyInstance, gate: Gate): void => {
  const { config, mounts } = gate;
  const local = isLoopback(config.host);
  const asksForTokens = config.auth.required || config.auth.tokens.length > 0;
  app.decorateRequest('caller', undefined);
  app.decorateRequest('session', undefined);
  app.decorateRequest('belongs');
  const rate = createThrottle(API_RATE);
  app.addHook('onRequest', async (request) => {
    if (OPEN.has(request.url)) return;
    const route = request.routeOptions.url ?? '';
    const cookie = takeSession(request.raw.headers, config);
    if (SIGN_IN.has(`${request.method} ${route}`)) {
      if (local) refuseRebinding(request, config.publicUrl);
      return;
    }
    request.caller = identify(request, gate, asksForTokens, cookie);
    const knocking = request.caller?.name ?? addressKey(request.ip);
    if (route.startsWith('/api/') && !rate.take(knocking))
      throw new WeighbridgeError('RATE_LIMITED', 'too many requests to the API; come again in a few seconds');
    request.belongs = belongsTo(request);
    if (request.caller === undefined && local) refuseRebinding(request, config.publicUrl);
    checkRights(request, subjectOf(request, config), request.caller, mounts);
  });
};

/** Without a token: whoever sits at this machine is its admin; whom a proxy lets through, or `auth.none`, is anyone. */
const subjectOf = (request: FastifyRequest, config: Config): Subject => {
  if (request.caller !== undefined) return request.caller.role;
  return isFromHere(request, config) ? 'admin' : 'anyone';
};

/** Whether somebody at this machine asks, at a gateway that is for this machine alone. */
export const isFromHere = ({ headers, ip }: FastifyRequest, { host, publicUrl }: Config): boolean => {
  const forwarded = headers['forwarded'] ?? headers['x-forwarded-for'] ?? headers['x-forwarded-host'];
  return isLoopback(host) && isLoopback(ip) && publicUrl === undefined && forwarded === undefined;
};

/** A token's team counts; the path's is only what the caller says, and may not contradict the token. */
const belongsTo = ({ caller, raw }: FastifyRequest): Belonging => {
  const { team = '', environment = '' } = caller ?? {};
  const named = teamInPath(raw);
  if (team !== '' && named !== '' && named !== team)
    throw new WeighbridgeError('FORBIDDEN', `the path is that of the team ${named}, the token is not`);
  if (team !== '') return { team, environment, teamFrom: 'token' };
  return { team: named, environment, teamFrom: named === '' ? '' : 'path' };
};

const identify = (
  request: FastifyRequest,
  gate: Gate,
  needed: boolean,
  cookie: string | undefined,
): Identity | undefined => {
  const { headers } = request.raw;
  const own = headers[TOKEN_HEADER];
  const carried = credentials(headers.authorization ?? '');
  delete headers[TOKEN_HEADER];
  if (typeof own === 'string') {
    if (carried.some((secret) => isOurs(secret, gate))) delete headers.authorization;
    return admitted(find(own, gate));
  }
  if (carried.length === 0 && cookie !== undefined) return signedIn(request, gate, cookie);
  const found = carried.map((secret) => find(secret, gate));
  const known = found.find(({ state }) => state === 'live') ?? found.find(({ state }) => state !== 'unknown');
  if (known === undefined && !needed && !carried.some(isTokenForm)) return undefined;
  delete headers.authorization;
  return admitted(known ?? (carried.length === 0 ? undefined : { state: 'unknown' }));
};

/** Who holds the session of this cookie. A page may use it to change something only when it proves to be ours. */
const signedIn = (request: FastifyRequest, { config, sessions }: Gate, secret: string): Identity => {
  const identity = sessions?.find(secret);
  if (identity === undefined) throw new WeighbridgeError('UNAUTHENTICATED', 'the session has ended: sign in again');
  refuseForgery(request, secret, config);
  request.session = secret;
  return identity;
};

const WHERE = `as bearer, as password, or in the header ${TOKEN_HEADER}`;
const OBJECTIONS = {
  unknown: `the token is not known: this gateway needs a token, ${WHERE}`,
  expired: 'the token of this gateway has expired; its admins make another',
  revoked: 'the token of this gateway was revoked; its admins make another',
};

const admitted = (found: FoundToken | undefined): Identity => {
  if (found?.state === 'live') return found.identity;
  const objection = found === undefined ? `this gateway needs a token, ${WHERE}` : OBJECTIONS[found.state];
  const id = found?.id;
  throw new WeighbridgeError('UNAUTHENTICATED', objection, id === undefined ? {} : { token: id });
};

/** The secrets in an Authorization value: a bearer token, or both halves of a basic one. */
const credentials = (authorization: string): readonly string[] => {
  const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return [value];
  if (scheme.toLowerCase() !== 'basic') return [];
  const [user = '', ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return [password.join(':'), user].filter((part) => part !== '');
};

const find = (presented: string, { config, tokens }: Gate): FoundToken => {
  const configured = findConfigured(presented, config.auth.tokens);
  if (configured === undefined) return tokens?.find(presented) ?? { state: 'unknown' };
  const { name, team, environment, role } = configured;
  return { state: 'live', identity: { name, team, environment, role, scopes: [] } };
};

const isOurs = (secret: string, gate: Gate): boolean => isTokenForm(secret) || find(secret, gate).state !== 'unknown';

/** Compares with every token, in a time that does not tell how far a guess was right. */
const findConfigured = (presented: string, tokens: readonly ConfiguredToken[]): ConfiguredToken | undefined => {
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
