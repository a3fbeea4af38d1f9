import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { endSessions, type SignInOffice } from '../gateway/account-office.ts';
import type { OwnSession } from '../gateway/sessions.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import type { Operation } from './api/operation.ts';
import { moment } from './api/shapes.ts';
import { createProof } from './prove.ts';
import { sessionCookie } from './session-cookie.ts';

const PATH = '/api/v1/sessions';
/** ms after a sign-in, asked for anew at the provider, in which it proves who is there. */
const ANEW = 10 * 60_000;

const wanted = z.strictObject({
  id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  current: z.string().max(512).optional(),
});
const shown = z.strictObject({
  id: z.string(),
  current: z.boolean(),
  via: z.enum(['account', 'oidc']),
  createdAt: moment,
  seenAt: moment,
  expiresAt: moment,
}) satisfies z.ZodType<OwnSession>;

const operations = {
  list: {
    about: 'Where the caller is signed in',
    answers: {
      200: { about: 'Oldest first; `current` is this one', json: z.strictObject({ sessions: z.array(shown) }) },
    },
  },
  end: {
    about:
      'Ends the session `id` of the caller, or without it all of them: takes the password of the account as `current`, ' +
      'or a sign-in at the provider in the last ten minutes, begun with `again=true`',
    body: wanted,
    answers: { 200: { about: 'They have ended', json: z.strictObject({ ended: z.array(z.string()) }) } },
  },
} satisfies Record<string, Operation>;

/** People see at `/api/v1/sessions` where they are signed in, and end what they will not have. */
export const serveOwnSessions = (app: FastifyInstance, office: SignInOffice, config: Config): void => {
  const prove = createProof(office);
  const { sessions } = office;

  app.get(PATH, { config: { operation: operations.list } }, async (request, reply) =>
    reply.header('cache-control', 'no-store').send({ sessions: sessions.own(secretOf(request)) }),
  );

  app.post(`${PATH}/end`, { config: { operation: operations.end } }, async (request, reply) => {
    refuseOtherSites(request);
    const secret = secretOf(request);
    const { caller } = request;
    const parsed = wanted.safeParse(request.body ?? {});
    if (caller === undefined || !parsed.success)
      throw new WeighbridgeError('REQUEST_INVALID', 'expected {id, current} as JSON, each of which may be left out');
    const { current, id } = parsed.data;
    const here = sessions.own(secret).find((one) => one.current);
    if (here?.via === 'account') await prove(caller.name, current ?? '');
    else if (!sessions.isAnew(secret, ANEW))
      throw new WeighbridgeError(
        'FORBIDDEN',
        'sign in again to end sessions: /api/v1/session/oidc?again=true, not more than ten minutes ago',
      );
    const ended = await endSessions(office, secret, id, caller, byWhom(request).request);
    if (here !== undefined && ended.includes(here.id)) reply.header('set-cookie', sessionCookie(config, ''));
    return reply.send({ ended });
  });
};

const secretOf = ({ session }: { readonly session: string | undefined }): string => {
  if (session !== undefined) return session;
  throw new WeighbridgeError('REQUEST_INVALID', 'nobody is signed in: a token has no sessions');
};
