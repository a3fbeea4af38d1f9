import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { LogSearch } from '../audit/log-search.ts';
import { FIELDS } from '../audit/query.ts';
import type { AccessLog } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import type { Operation } from './api/operation.ts';
import { entry, sought, time } from './api/shapes.ts';

/** What serves the log: its index, and the log itself, where each read is entered. */
export type LogParts = { readonly search: LogSearch; readonly log: AccessLog };

/** Entries of a page when no limit is asked for, and the most that may be. */
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;
const PATH = '/api/v1/log';

const query = z.strictObject({
  artefact: sought,
  digest: sought,
  repo: sought,
  actor: sought,
  team: sought,
  client: sought,
  decision: sought,
  rule: sought,
  kind: sought,
  request: sought,
  from: time.optional(),
  to: time.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
  before: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});

const operation: Operation = {
  about: 'Entries of the access log, the newest first, a page at a time',
  query,
  answers: {
    200: {
      about: 'A page; `next` is the `before` of the next one',
      json: z.strictObject({
        entries: z.array(z.strictObject({ index: z.int(), entry })),
        total: z.int(),
        searched: z.int(),
        next: z.int().nullable(),
      }),
    },
  },
};

/**
 * `GET /api/v1/log`: the newest entries that match, newest first, a page at a time: `next` is the `before` of the next
 * one. Each read is an entry itself.
 */
export const serveLog = (app: FastifyInstance, { search, log }: LogParts): void => {
  app.get(PATH, { config: { operation } }, async (request, reply) => {
    const parsed = query.safeParse(request.query);
    if (!parsed.success) throw invalid(parsed.error);
    const { limit, before, ...rest } = parsed.data;
    const wanted = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const page = await search.search(wanted, { limit, ...(before === undefined ? {} : { before }) });
    const { caller, id, method, ip } = request;
    await log.append({
      kind: 'log.read',
      request: { id, method, route: PATH },
      actor: log.pseudonym(caller?.name ?? ip),
      ...(caller === undefined || caller.team === '' ? {} : { team: caller.team }),
      detail: { ...wanted, limit, ...(before === undefined ? {} : { before }), found: page.total },
    });
    const entries = page.entries.map(({ index, entry }) => ({ index, entry }));
    return reply
      .header('cache-control', 'no-store')
      .send({ entries, total: page.total, searched: page.searched, next: page.next ?? null });
  });
};

const invalid = ({ issues }: z.ZodError): WeighbridgeError => {
  const [issue] = issues;
  const where = issue?.path.join('.') || 'the query';
  const fields = [...FIELDS, 'from', 'to', 'limit', 'before'].join(', ');
  return new WeighbridgeError('REQUEST_INVALID', `${where}: ${issue?.message ?? 'not valid'}; there are ${fields}`);
};
