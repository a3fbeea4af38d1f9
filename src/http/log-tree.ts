import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { TILE_WIDTH, type TreeQuestion } from '../audit/tiles.ts';
import { WeighbridgeError } from '../errors.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import type { LogParts } from './log.ts';

const PATH = '/api/v1/log';
/** The highest level of a tree of 2^53 leaves. */
const MAX_LEVEL = 6;

const count = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const inclusion = z.strictObject({ entry: count });
const consistency = z.strictObject({ from: count });

const TILE = /^(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,5})(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

const text = (about: string) => ({ 200: { about, types: ['text/plain'] } });
const operations = {
  checkpoint: { about: 'The newest checkpoint of the log', answers: text('A signed note of C2SP') },
  inclusion: { about: 'That an entry is in the log', query: inclusion, answers: text('A proof of C2SP') },
  consistency: { about: 'That the log only grew', query: consistency, answers: text('A proof of C2SP') },
  tile: {
    about: 'A tile of the tree, or a bundle of entries',
    params: z.object({ path: z.string().regex(TILE) }),
    answers: { 200: { about: 'As C2SP tlog-tiles has it', types: ['application/octet-stream'] } },
  },
} satisfies Record<string, Operation>;

/**
 * The tree of the log, in the formats of C2SP: `checkpoint` and `tile/…` below `/api/v1/log` are those of tlog-tiles, and
 * `inclusion?entry=N` and `consistency?from=N` are proofs as `weighbridge log verify --proof` takes them.
 */
export const serveLogTree = (app: FastifyInstance, { log, search }: LogParts): void => {
  const ask = async (question: TreeQuestion): Promise<Buffer> => Buffer.from(await search.tree(question));
  app.get(`${PATH}/checkpoint`, { config: { operation: operations.checkpoint } }, async (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(await ask({ kind: 'checkpoint' })),
  );
  app.get(`${PATH}/inclusion`, { config: { operation: operations.inclusion } }, async (request, reply) => {
    const { entry } = readInput(inclusion, request.query);
    return reply.type('text/plain; charset=utf-8').send(await ask({ kind: 'inclusion', entry }));
  });
  app.get(`${PATH}/consistency`, { config: { operation: operations.consistency } }, async (request, reply) => {
    const { from } = readInput(consistency, request.query);
    return reply.type('text/plain; charset=utf-8').send(await ask({ kind: 'consistency', from }));
  });
  app.get(`${PATH}/tile/*`, { config: { operation: operations.tile } }, async (request, reply) => {
    const question = tileOf(request.url.slice(`${PATH}/tile/`.length));
    const bytes = await ask(question);
    if (question.kind === 'entries') await enterRead(log, request, question);
    return reply.type('application/octet-stream').header('cache-control', 'private, immutable').send(bytes);
  });
};

/** Entries in a bundle are read like those of a search. */
const enterRead = async (
  log: LogParts['log'],
  { caller, id, ip, method }: FastifyRequest,
  { index, width }: { readonly index: number; readonly width: number },
): Promise<void> => {
  await log.append({
    kind: 'log.read',
    request: { id, method, route: `${PATH}/tile/*` },
    actor: log.pseudonym(caller?.name ?? ip),
    ...(caller === undefined || caller.team === '' ? {} : { team: caller.team }),
    detail: { first: index * TILE_WIDTH, found: width },
  });
};

/** The path of a tile: level or `entries`, then its number in groups of three digits, then its width when it is partial. */
const tileOf = (path: string): Extract<TreeQuestion, { readonly kind: 'tile' | 'entries' }> => {
  const [, level = '', groups = '', last = '', partial] = TILE.exec(path) ?? [];
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  const index = Number(groups.replace(/[x/]/g, '') + last);
  if (last === '' || (partial !== undefined && width >= TILE_WIDTH) || Number(level) > MAX_LEVEL)
    throw new WeighbridgeError('REQUEST_INVALID', 'this is no path of a tile, such as 0/x001/234 or entries/000.p/17');
  return level === 'entries' ? { kind: 'entries', index, width } : { kind: 'tile', level: Number(level), index, width };
};
