import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import {
  type Asking,
  approveRelease,
  commentRelease,
  findRelease,
  type ReleaseDesk,
  refuseRelease,
  releaseAtOnce,
  requestRelease,
  revokeRelease,
  shownRelease,
} from '../gateway/quarantine/desk.ts';
import { lifeOf } from '../identity/terms.ts';
import { byWhom, refuseOtherSites } from './admin.ts';

const PATH = '/api/v1/quarantine';
/** Releases of one answer. */
const MAX_SHOWN = 1_000;
/** Rules that one request may name. */
const MAX_RULES = 200;

const name = z.string().min(1).max(300);
const said = z.string().trim().min(1).max(1000);
const states = z.enum(['requested', 'active', 'refused', 'revoked', 'expired', 'waiting', 'released']);
const query = z.strictObject({ state: states.optional(), expiring: name.optional() });
const wanted = z.strictObject({
  request: name,
  reason: said,
  owner: name.optional(),
  expires: name.optional(),
  rules: z.array(name).max(MAX_RULES).optional(),
});
const comment = z.strictObject({ comment: said });
const perhaps = z.strictObject({ comment: z.string().trim().max(1000).default('') });
const params = z.object({ id: name });

/**
 * Releases of what is refused: listed, shown, asked for, approved, refused, revoked and talked about at
 * `/api/v1/quarantine`. Whoever has the role of a pipeline may ask for what was refused to itself.
 */
export const serveQuarantine = (app: FastifyInstance, desk: ReleaseDesk): void => {
  app.addHook('onRequest', async (request, reply) => {
    refuseOtherSites(request);
    reply.header('cache-control', 'no-store');
  });
  app.get(PATH, async (request) => {
    const { state, expiring } = read(query, request.query);
    const until = expiring === undefined ? undefined : Date.now() + (lifeOf(expiring) ?? Number.POSITIVE_INFINITY);
    const chosen = desk.book
      .list()
      .filter((one) => state === undefined || one.state === state)
      .filter((one) => until === undefined || (one.state === 'active' && (one.expiresAt ?? 0) <= until));
    const releases = await Promise.all(chosen.slice(0, MAX_SHOWN).map((one) => shownRelease(desk, one)));
    return { releases, total: chosen.length };
  });
  app.get(`${PATH}/:id`, async (request) => {
    const release = findRelease(desk.book, idOf(request));
    const facts = await desk.records.get('facts', release.facts);
    return { ...(await shownRelease(desk, release)), seen: facts ?? null };
  });
  app.post(PATH, async (request, reply) => {
    const release = await requestRelease(desk, read(wanted, request.body), asking(request));
    return reply.code(201).send(await shownRelease(desk, release));
  });
  app.post(`${PATH}/release`, async (request, reply) => {
    const release = await releaseAtOnce(desk, read(wanted, request.body), asking(request));
    return reply.code(201).send(await shownRelease(desk, release));
  });
  app.post(`${PATH}/:id/approve`, async (request) => {
    const { comment: text } = read(perhaps, request.body ?? {});
    return shownRelease(desk, await approveRelease(desk, idOf(request), text, byWhom(request)));
  });
  const steps = { refuse: refuseRelease, revoke: revokeRelease, comment: commentRelease };
  for (const [verb, step] of Object.entries(steps))
    app.post(`${PATH}/:id/${verb}`, async (request) => {
      const { comment: text } = read(comment, request.body);
      return shownRelease(desk, await step(desk, idOf(request), text, byWhom(request)));
    });
};

const idOf = (request: FastifyRequest): string => read(params, request.params).id;

const asking = (request: FastifyRequest): Asking => ({
  ...byWhom(request),
  trusted: request.caller?.role !== 'pipeline',
});

const read = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
};
