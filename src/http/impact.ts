import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Impact } from '../audit/impact.ts';
import { csvOf, withCaches } from '../audit/impact-table.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { digest, sought, time } from './api/shapes.ts';
import type { LogParts } from './log.ts';

const PATH = '/api/v1/impact';

const query = z
  .strictObject({
    key: sought,
    digest: sought,
    repo: sought,
    artefact: sought,
    rule: sought,
    actor: sought,
    team: sought,
    client: sought,
    from: time.optional(),
    to: time.optional(),
    format: z.enum(['json', 'csv']).default('json'),
  })
  .refine(({ format: _format, ...asked }) => Object.values(asked).some((value) => value !== undefined), {
    error: 'expected key, digest, repo, artefact, rule, actor, team, client, from or to',
  });

const received = z.strictObject({
  actor: z.string(),
  team: z.string(),
  client: z.string(),
  ecosystem: z.string(),
  repo: z.string(),
  commit: z.string(),
  path: z.string(),
  sha256: z.string(),
  servedAs: z.enum(['itself', 'converted', 'without rows', 'uploaded']),
  first: z.iso.datetime(),
  last: z.iso.datetime(),
  requests: z.int(),
  bytes: z.int(),
  extent: z.enum(['complete', 'in part', 'unknown']),
  cache: z.string(),
  keptAs: z.array(z.string()).readonly(),
});
const derived = z.strictObject({
  source: z.string(),
  sha256: digest,
  at: z.iso.datetime(),
  repo: z.string(),
  commit: z.string(),
  path: z.string(),
  rowsDropped: z.int().optional(),
});
const found = z.strictObject({
  received: z.array(received),
  derived: z.array(derived),
  refused: z.int(),
  entries: z.int(),
  searched: z.int(),
});

const operation: Operation = {
  about: 'Who received something, and what was derived from it',
  query,
  answers: { 200: { about: 'Recipients, the latest first', json: found, types: ['text/csv'] } },
};

/** `GET /api/v1/impact`: who received something and what was derived from it, as `weighbridge impact` says it. */
export const serveImpact = (app: FastifyInstance, { log, search }: LogParts): void => {
  app.get(PATH, { config: { operation } }, async (request, reply) => {
    const { format, key, ...rest } = readInput(query, request.query);
    const narrow = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const impact: Impact = await search.impact(key, narrow);
    const { caller, id, ip, method } = request;
    await log.append({
      kind: 'log.read',
      request: { id, method, route: PATH },
      actor: log.pseudonym(caller?.name ?? ip),
      ...(caller === undefined || caller.team === '' ? {} : { team: caller.team }),
      detail: { ...(key !== undefined && { key }), ...narrow, found: impact.received.length },
    });
    reply.header('cache-control', 'no-store');
    return format === 'csv'
      ? reply.type('text/csv; charset=utf-8').send(csvOf(impact))
      : reply.send(withCaches(impact));
  });
};
