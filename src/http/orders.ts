import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import { approveOrder, liftOrder, type OrderOffice, placeOrder } from '../gateway/orders/office.ts';
import { byWhom, refuseOtherSites } from './admin.ts';

const PATH = '/api/v1/orders';
/** Rules that one pass may name. */
const MAX_RULES = 50;

const text = z.string().min(1).max(300);
const reason = z.string().max(1000);
const time = z.iso
  .datetime({ offset: true })
  .or(z.iso.date())
  .transform((written) => Date.parse(written));
const wanted = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum(['hold', 'keep']),
    reason,
    digest: text.optional(),
    repo: text.optional(),
    namespace: text.optional(),
    rule: text.optional(),
  }),
  z.strictObject({ kind: z.literal('freeze'), reason, since: time, ecosystem: text.optional() }),
  z.strictObject({
    kind: z.literal('pass'),
    reason,
    token: text.optional(),
    team: text.optional(),
    rules: z.array(text).max(MAX_RULES),
    hours: z.number(),
  }),
]);
const params = z.object({ id: text });

/** What admins order beside the policies: listed, placed, approved and lifted at `/api/v1/orders`. */
export const serveOrders = (app: FastifyInstance, office: OrderOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(PATH, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ orders: office.book.list() }),
  );
  app.post(PATH, async (request, reply) => {
    const parsed = wanted.safeParse(request.body);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
    return reply.code(201).send(await placeOrder(office, parsed.data, byWhom(request)));
  });
  app.post(`${PATH}/:id/approve`, async (request) =>
    approveOrder(office, params.parse(request.params).id, byWhom(request)),
  );
  app.post(`${PATH}/:id/lift`, async (request) => liftOrder(office, params.parse(request.params).id, byWhom(request)));
};
