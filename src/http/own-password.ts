import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { changePassword, type SignInOffice } from '../gateway/account-office.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import type { Operation } from './api/operation.ts';
import { createProof } from './prove.ts';
import { sessionCookie } from './session-cookie.ts';

const text = z.string().max(512);
const passwords = z.strictObject({ current: text, password: text });

const operation: Operation = {
  about: 'Whoever is signed in with an account sets its password anew, which ends all its sessions',
  body: passwords,
  answers: { 204: { about: 'It is set: sign in again' } },
};

/** People change their own password at `/api/v1/session/password`, by the one that they have. */
export const serveOwnPassword = (app: FastifyInstance, office: SignInOffice, config: Config): void => {
  const prove = createProof(office);
  app.post('/api/v1/session/password', { config: { operation } }, async (request, reply) => {
    refuseOtherSites(request);
    const { caller, session } = request;
    if (caller === undefined || session === undefined)
      throw new WeighbridgeError('REQUEST_INVALID', 'nobody is signed in: a token has no password');
    const parsed = passwords.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', 'expected {current, password} as JSON');
    if (office.accounts.find(caller.name) === undefined)
      throw new WeighbridgeError('FORBIDDEN', 'there is no password of yours here: the identity provider keeps it');
    await prove(caller.name, parsed.data.current);
    await changePassword(office, caller.name, parsed.data.password, byWhom(request));
    return reply.header('set-cookie', sessionCookie(config, '')).code(204).send();
  });
};
