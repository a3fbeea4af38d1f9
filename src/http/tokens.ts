import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import {
  createToken,
  removeCredential,
  revokeToken,
  storeCredential,
  type TokenOffice,
} from '../gateway/token-office.ts';
import type { ShownToken } from '../gateway/tokens.ts';
import type { ShownCredential } from '../gateway/vault.ts';
import { ROLES } from '../identity/roles.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { moment } from './api/shapes.ts';

const PATH = '/api/v1/tokens';
const text = z.string().max(300);

const wanted = z.strictObject({
  team: text.optional(),
  environment: text.optional(),
  role: text.optional(),
  mounts: z.array(text).max(20).optional(),
  expires: text.optional(),
  note: text.optional(),
});

const CREDENTIALS = '/api/v1/credentials';
const place = z.strictObject({ team: text, upstream: text });
const credential = place.extend({ secret: z.string().max(4096) });

const params = z.object({ id: text });

const shownToken = z.strictObject({
  id: z.string(),
  team: z.string(),
  environment: z.string(),
  role: z.enum(ROLES),
  scopes: z.array(z.string()),
  note: z.string(),
  createdAt: moment,
  createdBy: z.string(),
  expiresAt: moment.exactOptional(),
  revokedAt: moment.exactOptional(),
}) satisfies z.ZodType<ShownToken>;
const shownCredential = z.strictObject({
  upstream: z.string(),
  team: z.string(),
  at: moment,
  by: z.string(),
}) satisfies z.ZodType<ShownCredential>;
const madeToken = shownToken.extend({ token: z.string() });

const operations = {
  list: {
    about: 'Tokens, also those that have ended',
    answers: { 200: { about: 'Without their secrets', json: z.strictObject({ tokens: z.array(shownToken) }) } },
  },
  create: {
    about: 'Makes a token',
    body: wanted,
    answers: { 201: { about: '`token` is the secret, told this once', json: madeToken } },
  },
  revoke: { about: 'Ends a token', params, answers: { 200: { about: 'It has ended', json: shownToken } } },
  credentials: {
    about: 'Which teams have a token of which upstream',
    answers: { 200: { about: 'Without them', json: z.strictObject({ credentials: z.array(shownCredential) }) } },
  },
  store: {
    about: 'Stores what an upstream is shown in the name of a team',
    body: credential,
    answers: { 201: { about: 'It is stored', json: shownCredential } },
  },
  remove: { about: 'Forgets it', body: place, answers: { 200: { about: 'It is forgotten', json: place } } },
} satisfies Record<string, Operation>;

/** Tokens are listed, made and revoked at `/api/v1/tokens`. What a token is, is answered once: when it is made. */
export const serveTokens = (app: FastifyInstance, office: TokenOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(PATH, { config: { operation: operations.list } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ tokens: office.tokens.list() }),
  );
  app.post(PATH, { config: { operation: operations.create } }, async (request, reply) => {
    const { secret, shown } = await createToken(office, readInput(wanted, request.body), byWhom(request));
    return reply
      .code(201)
      .header('cache-control', 'no-store')
      .send({ token: secret, ...shown });
  });
  app.post(`${PATH}/:id/revoke`, { config: { operation: operations.revoke } }, async (request) => {
    const { id } = readInput(params, request.params);
    return revokeToken(office, id, byWhom(request));
  });
};

/** What upstreams are shown in the name of a team is listed, stored and forgotten here. It is never answered. */
export const serveCredentials = (app: FastifyInstance, office: TokenOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(CREDENTIALS, { config: { operation: operations.credentials } }, async () => ({
    credentials: office.vault.list(),
  }));
  app.post(CREDENTIALS, { config: { operation: operations.store } }, async (request, reply) => {
    const stored = await storeCredential(office, readInput(credential, request.body), byWhom(request));
    return reply.code(201).send(stored);
  });
  app.post(`${CREDENTIALS}/remove`, { config: { operation: operations.remove } }, async (request) => {
    return removeCredential(office, readInput(place, request.body), byWhom(request));
  });
};
