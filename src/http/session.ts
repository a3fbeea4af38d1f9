import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { recognise, type SignInOffice, signIn, signOut } from '../gateway/account-office.ts';
import type { Directory } from '../gateway/oidc/directory.ts';
import { forgeryToken } from '../gateway/sessions.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import type { Operation } from './api/operation.ts';
import { isFromHere } from './auth.ts';
import { baseOf, sessionCookie } from './session-cookie.ts';
import { addressKey, createThrottle } from './throttle.ts';

const PATH = '/api/v1/session';
/** Attempts to sign in: of one account, so that it takes years to guess, and of one address. */
const OF_ACCOUNT = { burst: 10, perSecond: 1 / 60, slots: 16_384 };
const OF_ADDRESS = { burst: 20, perSecond: 1 / 6, slots: 65_536 };

const credentials = z.strictObject({ name: z.string().max(64), password: z.string().max(512) });

const operations = {
  signIn: {
    about: 'Signs a person in: the answer sets the cookie of the session',
    body: credentials,
    answers: {
      200: {
        about: 'csrf goes into X-Weighbridge-Csrf of whatever changes something',
        json: z.strictObject({ name: z.string(), role: z.string(), csrf: z.string() }),
      },
    },
  },
  who: {
    about: 'Who the caller is',
    answers: {
      200: {
        about: 'Empty where nothing is known',
        json: z.strictObject({
          name: z.string(),
          shown: z.string().exactOptional(),
          team: z.string(),
          role: z.string(),
          csrf: z.string().exactOptional(),
        }),
      },
    },
  },
  signOut: {
    about: 'Ends the session of the cookie',
    answers: {
      200: {
        about: 'It has ended; at `signOut` the identity provider ends its own',
        json: z.strictObject({ signOut: z.url() }),
      },
      204: { about: 'It has ended' },
    },
  },
} satisfies Record<string, Operation>;

/** People sign in with POST, ask who they are with GET, and sign out with DELETE. */
export const serveSession = (
  app: FastifyInstance,
  office: SignInOffice,
  config: Config,
  directory: Directory | undefined,
): void => {
  const [accounts, addresses] = [createThrottle(OF_ACCOUNT), createThrottle(OF_ADDRESS)];

  app.post(PATH, { config: { operation: operations.signIn } }, async (request, reply) => {
    refuseOtherSites(request);
    if (!takesPasswords(request, config))
      throw new WeighbridgeError(
        'FORBIDDEN',
        'a password alone opens a gateway for its own machine only: sign in with the identity provider; ' +
          'auth.passwords: anywhere lets passwords in',
      );
    const parsed = credentials.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', 'expected {name, password} as JSON');
    const { name, password } = parsed.data;
    if (!addresses.take(addressKey(request.ip)) || !accounts.take(name))
      throw new WeighbridgeError('RATE_LIMITED', 'too many attempts to sign in; wait a minute', { signIn: 'account' });
    const person = await recognise(office, name, password);
    return welcome(reply, config, await signIn(office, person, byWhom(request).request), person);
  });

  app.get(PATH, { config: { operation: operations.who } }, async (request, reply) => {
    const { caller, session } = request;
    const csrf = session === undefined ? {} : { csrf: forgeryToken(session) };
    return reply.header('cache-control', 'no-store').send({
      name: caller?.name ?? '',
      ...(caller?.shown !== undefined && { shown: caller.shown }),
      team: caller?.team ?? '',
      role: caller?.role ?? '',
      ...csrf,
    });
  });

  app.delete(PATH, { config: { operation: operations.signOut } }, async (request, reply) => {
    const { caller, session } = request;
    if (caller === undefined || session === undefined)
      throw new WeighbridgeError('REQUEST_INVALID', 'nobody is signed in: there is no session to end');
    const via = await signOut(office, session, caller, byWhom(request).request);
    reply.header('set-cookie', sessionCookie(config, ''));
    const there = via === 'oidc' ? await directory?.signOutAt(`${baseOf(request, config)}/`) : undefined;
    return there === undefined ? reply.code(204).send() : reply.send({ signOut: there });
  });
};

/** One factor opens what is for one machine: whoever comes from elsewhere is to be known by two, or the admin's word. */
export const takesPasswords = (request: FastifyRequest, config: Config): boolean =>
  config.auth.passwords === 'anywhere' || isFromHere(request, config);

/** The answer to whoever signed in: the cookie, and what pages send along from now on. */
const welcome = (
  reply: FastifyReply,
  config: Config,
  secret: string,
  { name, role }: { readonly name: string; readonly role: string },
): FastifyReply =>
  reply
    .header('set-cookie', sessionCookie(config, secret))
    .header('cache-control', 'no-store')
    .send({ name, role, csrf: forgeryToken(secret) });

declare module 'fastify' {
  interface FastifyRequest {
    /** The secret of the session that the caller is known by; undefined for whoever came with a token or with nothing. */
    session: string | undefined;
  }
}
