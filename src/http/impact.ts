import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Impact } from '../audit/impact.ts';
import { csvOf, withCaches } from '../audit/impact-table.ts';
import { WeighbridgeError } from '../errors.ts';
import type { LogParts } from './log.ts';

const PATH = '/api/v1/impact';
/** Characters of a name or pattern: an artefact's repo and path. */
const MAX_TEXT = 8192;

const text = z.string().min(1).max(MAX_TEXT).optional();
const time = z.iso
  .datetime({ offset: true })
  .or(z.iso.date())
  .transform((written) => Date.parse(written))
  .optional();
const query = z
  .strictObject({
    key: text,
    digest: text,
    repo: text,
    artefact: text,
    rule: text,
    actor: text,
    team: text,
    client: text,
    from: time,
    to: time,
    format: z.enum(['json', 'csv']).default('json'),
  })
  .refine(({ format: _format, ...asked }) => Object.values(asked).some((value) => value !== undefined), {
    error: 'expected key, digest, repo, artefact, rule, actor, team, client, from or to',
  });

/** `GET /api/v1/impact`: who received something and what was derived from it, as `weighbridge impact` says it. */
export const serveImpact = (app: FastifyInstance, { log, search }: LogParts): void => {
  app.get(PATH, async (request, reply) => {
    const parsed = query.safeParse(request.query);
    if (!parsed.success) throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
    const { format, key, ...rest } = parsed.data;
    const narrow = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const found: Impact = await search.impact(key, narrow);
    const { caller, id, ip, method } = request;
    await log.append({
      kind: 'log.read',
      request: { id, method, route: PATH },
      actor: log.pseudonym(caller?.name ?? ip),
      ...(caller === undefined || caller.team === '' ? {} : { team: caller.team }),
      detail: { ...(key !== undefined && { key }), ...narrow, found: found.received.length },
    });
    reply.header('cache-control', 'no-store');
    return format === 'csv' ? reply.type('text/csv; charset=utf-8').send(csvOf(found)) : reply.send(withCaches(found));
  });
};
