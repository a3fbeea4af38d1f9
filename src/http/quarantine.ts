import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
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
import { type Held, heldUnasked } from '../gateway/quarantine/held.ts';
import { lifeOf } from '../identity/terms.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { moment } from './api/shapes.ts';

const PATH = '/api/v1/quarantine';
/** Releases of one answer. */
const MAX_SHOWN = 1_000;
/** Rules that one request may name. */
const MAX_RULES = 200;

const name = z.string().min(1).max(300);
const said = z.string().trim().min(1).max(1000);
const states = z.enum(['requested', 'active', 'refused', 'revoked', 'expired', 'waiting', 'released']);
const query = z.strictObject({ state: states.optional(), expiring: name.optional(), held: name.optional() });
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

const act = z.strictObject({ by: z.string(), at: moment, text: z.string() });
const shown = z.strictObject({
  id: z.string(),
  state: states,
  artefact: z.strictObject({
    ecosystem: z.string(),
    repo: z.string(),
    commit: z.string(),
    path: z.string(),
    sha256: z.string().exactOptional(),
  }),
  rules: z.array(z.string()),
  facts: z.string(),
  policySet: z.string(),
  reason: z.string(),
  owner: z.string(),
  by: z.string(),
  at: moment,
  expiresAt: moment.exactOptional(),
  needed: z.int(),
  approvals: z.array(act),
  comments: z.array(act),
  ended: act.exactOptional(),
}) satisfies z.ZodType<Awaited<ReturnType<typeof shownRelease>>>;

const held = z.strictObject({
  request: z.string(),
  artefact: z.looseObject({ ecosystem: z.string(), repo: z.string(), commit: z.string(), path: z.string() }),
  rule: z.string(),
  reason: z.string(),
  by: z.string(),
  team: z.string(),
  at: moment,
  requests: z.int(),
}) satisfies z.ZodType<Held>;

const stepOf = (verb: string): Operation => ({
  about: `To ${verb} a release`,
  params,
  body: comment,
  answers: { 200: { about: 'As it is now', json: shown } },
});
const operations = {
  list: {
    about: 'Releases, the newest first, and with `held` what was held since then and nobody has asked for',
    query,
    answers: {
      200: {
        about: 'Some, of all',
        json: z.strictObject({ releases: z.array(shown), total: z.int(), held: z.array(held) }),
      },
    },
  },
  show: {
    about: 'One release, with the facts that were refused',
    params,
    answers: { 200: { about: 'As it is now', json: shown.extend({ seen: z.unknown() }) } },
  },
  request: {
    about: 'Asks for what the request of this id was refused',
    body: wanted,
    answers: { 201: { about: 'It waits for approval', json: shown } },
  },
  release: {
    about: 'Asks and approves at once',
    body: wanted,
    answers: { 201: { about: 'It is released', json: shown } },
  },
  approve: { ...stepOf('approve'), body: perhaps, bodyOptional: true },
} satisfies Record<string, Operation>;

/**
 * Releases of what is refused: listed, shown, asked for, approved, refused, revoked and talked about at
 * `/api/v1/quarantine`. Whoever has the role of a pipeline may ask for what was refused to itself.
 */
export const serveQuarantine = (app: FastifyInstance, desk: ReleaseDesk): void => {
  app.addHook('onRequest', async (request, reply) => {
    refuseOtherSites(request);
    reply.header('cache-control', 'no-store');
  });
  app.get(PATH, { config: { operation: operations.list } }, async (request) => {
    const { state, expiring, held: within } = readInput(query, request.query);
    const until = expiring === undefined ? undefined : Date.now() + (lifeOf(expiring) ?? Number.POSITIVE_INFINITY);
    const chosen = desk.book
      .list()
      .filter((one) => state === undefined || one.state === state)
      .filter((one) => until === undefined || (one.state === 'active' && (one.expiresAt ?? 0) <= until));
    const releases = await Promise.all(chosen.slice(0, MAX_SHOWN).map((one) => shownRelease(desk, one)));
    const since = within === undefined ? undefined : Date.now() - (lifeOf(within) ?? 0);
    return { releases, total: chosen.length, held: since === undefined ? [] : await heldUnasked(desk, since) };
  });
  app.get(`${PATH}/:id`, { config: { operation: operations.show } }, async (request) => {
    const release = findRelease(desk.book, idOf(request));
    const facts = await desk.records.get('facts', release.facts);
    return { ...(await shownRelease(desk, release)), seen: facts ?? null };
  });
  app.post(PATH, { config: { operation: operations.request } }, async (request, reply) => {
    const release = await requestRelease(desk, readInput(wanted, request.body), asking(request));
    return reply.code(201).send(await shownRelease(desk, release));
  });
  app.post(`${PATH}/release`, { config: { operation: operations.release } }, async (request, reply) => {
    const release = await releaseAtOnce(desk, readInput(wanted, request.body), asking(request));
    return reply.code(201).send(await shownRelease(desk, release));
  });
  app.post(`${PATH}/:id/approve`, { config: { operation: operations.approve } }, async (request) => {
    const { comment: text } = readInput(perhaps, request.body ?? {});
    return shownRelease(desk, await approveRelease(desk, idOf(request), text, byWhom(request)));
  });
  const steps = { refuse: refuseRelease, revoke: revokeRelease, comment: commentRelease };
  for (const [verb, step] of Object.entries(steps))
    app.post(`${PATH}/:id/${verb}`, { config: { operation: stepOf(verb) } }, async (request) => {
      const { comment: text } = readInput(comment, request.body);
      return shownRelease(desk, await step(desk, idOf(request), text, byWhom(request)));
    });
};

const idOf = (request: FastifyRequest): string => readInput(params, request.params).id;

const asking = (request: FastifyRequest): Asking => ({
  ...byWhom(request),
  trusted: request.caller?.role !== 'pipeline',
});
