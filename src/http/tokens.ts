import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import {
  createToken,
  removeCredential,
  revokeToken,
  storeCredential,
  type TokenOffice,
} from '../gateway/token-office.ts';
import { byWhom, refuseOtherSites } from './admin.ts';

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

/** Tokens are listed, made and revoked at `/api/v1/tokens`. What a token is, is answered once: when it is made. */
export const serveTokens = (app: FastifyInstance, office: TokenOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(PATH, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ tokens: office.tokens.list() }),
  );
  app.post(PATH, async (request, reply) => {
    const parsed = wanted.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
    const { secret, shown } = await createToken(office, parsed.data, byWhom(request));
    return reply
      .code(201)
      .header('cache-control', 'no-store')
      .send({ token: secret, ...shown });
  });
  app.post(`${PATH}/:id/revoke`, async (request) => {
    const { id } = params.parse(request.params);
    return revokeToken(office, id, byWhom(request));
  });
};

/** What upstreams are shown in the name of a team is listed, stored and forgotten here. It is never answered. */
export const serveCredentials = (app: FastifyInstance, office: TokenOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(CREDENTIALS, async () => ({ credentials: office.vault.list() }));
  app.post(CREDENTIALS, async (request, reply) => {
    const parsed = credential.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
    return reply.code(201).send(await storeCredential(office, parsed.data, byWhom(request)));
  });
  app.post(`${CREDENTIALS}/remove`, async (request) => {
    const parsed = place.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
    return removeCredential(office, parsed.data, byWhom(request));
  });
};
