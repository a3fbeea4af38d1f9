import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { ATTEMPT_LIFE } from '../gateway/oidc/attempt.ts';
import { forgeryToken, SESSION_LIFE } from '../gateway/sessions.ts';
import { refuseOtherSites } from './admin.ts';

/** What pages send along with whatever changes something. */
const FORGERY_HEADER = 'x-weighbridge-csrf';
/** Methods that change nothing (RFC 9110, 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

type Place = Pick<Config, 'tls' | 'publicUrl'>;

/** Whether people come over TLS: to us, or to the proxy before us. */
export const isSecure = ({ tls, publicUrl }: Place): boolean =>
  tls !== undefined || publicUrl?.startsWith('https:') === true;

/** Where people reach us, without a slash at the end. The guard lets pass only hosts that are ours where no `publicUrl` says it. */
export const baseOf = ({ host, protocol }: Pick<FastifyRequest, 'host' | 'protocol'>, { publicUrl }: Place): string =>
  (publicUrl ?? `${protocol}://${host}`).replace(/\/+$/, '');

/** A name that begins so is taken by browsers only from this very host, over TLS (RFC 6265bis, 4.1.3). */
const nameOf = (place: Place): string => (isSecure(place) ? '__Host-weighbridge' : 'weighbridge');
const attemptNameOf = (place: Place): string => `${nameOf(place)}-sign-in`;

/** The cookie that carries a session; an empty secret takes it away. */
export const sessionCookie = (place: Place, secret: string): string => {
  const life = secret === '' ? 0 : SESSION_LIFE / 1000;
  const secure = isSecure(place) ? '; Secure' : '';
  return `${nameOf(place)}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${life}${secure}`;
};

/**
 * The cookie that keeps a sign-in which goes on elsewhere; an empty one takes it away. The browser comes back from another site:
 * a strict one would stay behind then.
 */
export const attemptCookie = (place: Place, attempt: string): string => {
  const life = attempt === '' ? 0 : ATTEMPT_LIFE / 1000;
  const secure = isSecure(place) ? '; Secure' : '';
  return `${attemptNameOf(place)}=${attempt}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${life}${secure}`;
};

/** The sign-in that a request carries; taken out like the session. */
export const takeAttempt = (headers: IncomingHttpHeaders, place: Place): string | undefined =>
  takeCookie(headers, attemptNameOf(place));

/** The secret of the session that a request carries. No cookie of a request is ever sent upstream: they are taken out. */
export const takeSession = (headers: IncomingHttpHeaders, place: Place): string | undefined =>
  takeCookie(headers, nameOf(place));

const takeCookie = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const { cookie } = headers;
  if (cookie === undefined) return undefined;
  const prefix = `${name}=`;
  const parts = cookie.split(';').map((part) => part.trim());
  const ours = parts.filter((part) => part.startsWith(prefix));
  const others = parts.filter((part) => !part.startsWith(prefix));
  if (others.length === 0) delete headers.cookie;
  else headers.cookie = others.join('; ');
  // Two of one name: one of them was put there by somebody else.
  return ours.length === 1 ? ours[0]?.slice(prefix.length) : undefined;
};

/** Throws FORBIDDEN for a request that changes something unless a page of ours, which knows the session's token, sent it. */
export const refuseForgery = (request: FastifyRequest, secret: string, { publicUrl }: Place): void => {
  if (SAFE.has(request.method)) return;
  refuseOtherSites(request);
  const { origin } = request.headers;
  const hosts = [request.host, ...(publicUrl === undefined ? [] : [new URL(publicUrl).host])];
  if (origin !== undefined && !(URL.canParse(origin) && hosts.includes(new URL(origin).host)))
    throw new WeighbridgeError('FORBIDDEN', 'pages of other sites may change nothing here');
  const sent = Buffer.from(String(request.headers[FORGERY_HEADER] ?? ''));
  const expected = Buffer.from(forgeryToken(secret));
  if (sent.length === expected.length && timingSafeEqual(sent, expected)) return;
  throw new WeighbridgeError('FORBIDDEN', `the header ${FORGERY_HEADER} has to carry the csrf token of the session`);
};
