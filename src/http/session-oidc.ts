import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { type SignInOffice, signIn } from '../gateway/account-office.ts';
import type { Directory } from '../gateway/oidc/directory.ts';
import { byWhom } from './admin.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { takesPasswords } from './session.ts';
import { attemptCookie, baseOf, sessionCookie, takeAttempt } from './session-cookie.ts';
import { addressKey, createThrottle } from './throttle.ts';

const PATH = '/api/v1/session/oidc';
/** Sign-ins begun and ended from one address: an office of people who come at nine, and nobody who makes the provider work. */
const OF_ADDRESS = { burst: 200, perSecond: 2, slots: 65_536 };
/** Characters of the path to come back to. */
const MAX_BACK = 512;

const begin = z.object({
  back: z.string().max(MAX_BACK).default('/'),
  again: z.enum(['true', 'false']).default('false'),
});
/** What providers send back (RFC 6749, 4.1.2; RFC 9207), and whatever they add. */
const text = z.string().max(4096).optional();
const come = z.object({ code: text, state: text, iss: text, error: text });

const operations = {
  ways: {
    about: 'How people can sign in here',
    answers: {
      200: {
        about: 'With a password where `password` is true, and where `oidc` stands, with that provider',
        json: z.strictObject({
          password: z.boolean(),
          oidc: z.strictObject({ issuer: z.string(), begin: z.string() }).exactOptional(),
        }),
      },
    },
  },
  begin: {
    about:
      'Sends a person to the identity provider, to come back to the path `back` of this gateway; with `again`, one that it remembers has to sign in there anew',
    query: begin,
    answers: { 303: { about: 'The way there' } },
  },
  finish: {
    about: 'Where the identity provider sends people back to: signs them in',
    query: come,
    answers: { 200: { about: 'A page that leads back; the cookie of the session is set', types: ['text/html'] } },
  },
} satisfies Record<string, Operation>;

/** People sign in with the identity provider of the settings, by OpenID Connect: authorization code with PKCE. */
export const serveOidc = (
  app: FastifyInstance,
  office: SignInOffice,
  config: Config,
  directory: Directory | undefined,
): void => {
  const addresses = createThrottle(OF_ADDRESS);
  const atDirectory = ({ ip }: FastifyRequest): Directory => {
    if (directory === undefined)
      throw new WeighbridgeError('NOT_FOUND', 'nobody signs in by OpenID Connect here: there is no auth.oidc');
    if (addresses.take(addressKey(ip))) return directory;
    throw new WeighbridgeError('RATE_LIMITED', 'too many sign in from this address; wait a minute', { signIn: 'oidc' });
  };

  app.get('/api/v1/session/ways', { config: { operation: operations.ways } }, async (request, reply) =>
    reply.send({
      password: takesPasswords(request, config),
      ...(directory !== undefined && { oidc: { issuer: directory.issuer, begin: PATH } }),
    }),
  );

  app.get(PATH, { config: { operation: operations.begin } }, async (request, reply) => {
    const provider = atDirectory(request);
    const base = baseOf(request, config);
    const asked = readInput(begin, request.query);
    const back = pathWithin(base, asked.back);
    const { location, attempt } = await provider.begin(`${base}${PATH}/callback`, back, asked.again === 'true');
    return reply.header('set-cookie', attemptCookie(config, attempt)).redirect(location, 303);
  });

  app.get(`${PATH}/callback`, { config: { operation: operations.finish } }, async (request, reply) => {
    const provider = atDirectory(request);
    const kept = takeAttempt(request.raw.headers, config) ?? '';
    // One attempt, one answer: whatever comes of this one, it is over.
    reply.header('set-cookie', attemptCookie(config, ''));
    const query = new URL(request.raw.url ?? '', 'http://here').search;
    const { person, back } = await provider.finish(kept, query);
    const secret = await signIn(office, person, byWhom(request).request);
    reply.header('set-cookie', sessionCookie(config, secret));
    return leadBack(reply, `${baseOf(request, config)}${back}`);
  });
};

/** A path of ours as written in a query. Throws REQUEST_INVALID for what would lead to another host. */
const pathWithin = (base: string, written: string): string => {
  const { origin } = new URL(base);
  if (/^\/(?![/\\])/.test(written) && URL.canParse(written, origin)) {
    const { hash, origin: there, pathname, search } = new URL(written, origin);
    // What was `/.//` or held a tab is another path once it is read.
    if (there === origin && !pathname.startsWith('//')) return pathname + search + hash;
  }
  throw new WeighbridgeError('REQUEST_INVALID', 'back: expected a path of this gateway, such as /log');
};

/**
 * A page of ours that goes on to another: the cookie of the session stays behind where a redirect comes from the
 * provider's site, and is sent from here (a sandboxed page would be another site, and goes nowhere by itself).
 */
const leadBack = (reply: FastifyReply, to: string): FastifyReply => {
  const link = to.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  return reply
    .header(
      'content-security-policy',
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    .type('text/html; charset=utf-8')
    .send(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signed in</title>` +
        `<meta http-equiv="refresh" content="0;url=${link}"></head>` +
        `<body><p>You are signed in. <a href="${link}">Go on</a></p></body></html>`,
    );
};
