import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { openApi } from './document.ts';
import type { Operation, Route } from './operation.ts';

const operation: Operation = {
  about: 'This document',
  answers: { 200: { about: 'OpenAPI 3.1', json: z.looseObject({ openapi: z.string() }) } },
};

/** `/openapi.json`: everything in `routes` that is described, of which there may be more until the first request. */
export const serveDocument = (app: FastifyInstance, routes: readonly Route[]): void => {
  let document: string | undefined;
  app.get('/openapi.json', { config: { operation } }, async (_request, reply) => {
    document ??= JSON.stringify(openApi(routes));
    return reply.type('application/json').send(document);
  });
};
