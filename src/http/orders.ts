import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Placed } from '../gateway/orders/book.ts';
import { approveOrder, liftOrder, type OrderOffice, placeOrder } from '../gateway/orders/office.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { digest, moment, time } from './api/shapes.ts';

const PATH = '/api/v1/orders';
/** Rules that one pass may name. */
const MAX_RULES = 50;

const text = z.string().min(1).max(300);
const reason = z.string().max(1000);
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

const ordered = {
  id: z.string(),
  reason: z.string(),
  at: moment,
  by: z.string(),
  liftedAt: moment.exactOptional(),
  liftedBy: z.string().exactOptional(),
};
const match = z.strictObject({
  digests: z.array(digest).exactOptional(),
  repo: z.string().exactOptional(),
  namespace: z.string().exactOptional(),
  rule: z.string().exactOptional(),
});
const placed = z.discriminatedUnion('kind', [
  z.strictObject({ ...ordered, kind: z.literal('hold'), match }),
  z.strictObject({
    ...ordered,
    kind: z.literal('freeze'),
    since: moment,
    ecosystem: z.string().exactOptional(),
  }),
  z.strictObject({ ...ordered, kind: z.literal('keep'), match, blobs: z.array(digest) }),
  z.strictObject({
    ...ordered,
    kind: z.literal('pass'),
    token: z.string().exactOptional(),
    actor: z.string().exactOptional(),
    team: z.string().exactOptional(),
    rules: z.array(z.string()),
    hours: z.number(),
    approvedAt: moment.exactOptional(),
    approvedBy: z.string().exactOptional(),
  }),
]) satisfies z.ZodType<Placed>;

const operations = {
  list: {
    about: 'Orders, also those that have ended',
    answers: { 200: { about: 'The newest first', json: z.strictObject({ orders: z.array(placed) }) } },
  },
  place: {
    about: 'Gives an order',
    body: wanted,
    answers: { 201: { about: 'It is in force, or waits', json: placed } },
  },
  approve: { about: 'Approves a pass', params, answers: { 200: { about: 'It is in force', json: placed } } },
  lift: { about: 'Ends an order', params, answers: { 200: { about: 'It has ended', json: placed } } },
} satisfies Record<string, Operation>;

/** What admins order beside the policies: listed, placed, approved and lifted at `/api/v1/orders`. */
export const serveOrders = (app: FastifyInstance, office: OrderOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(PATH, { config: { operation: operations.list } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ orders: office.book.list() }),
  );
  app.post(PATH, { config: { operation: operations.place } }, async (request, reply) => {
    return reply.code(201).send(await placeOrder(office, readInput(wanted, request.body), byWhom(request)));
  });
  app.post(`${PATH}/:id/approve`, { config: { operation: operations.approve } }, async (request) =>
    approveOrder(office, readInput(params, request.params).id, byWhom(request)),
  );
  app.post(`${PATH}/:id/lift`, { config: { operation: operations.lift } }, async (request) =>
    liftOrder(office, readInput(params, request.params).id, byWhom(request)),
  );
};
