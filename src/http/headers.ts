import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { isSecure } from './session-cookie.ts';

/**
 * What every answer says to a browser that was led to it: take the type as it stands, run and load nothing, let no page
 * frame it, tell no other site where it stood. A page of ours says what it needs in the place
 * of the second.
 */
const ALWAYS: readonly (readonly [name: string, value: string])[] = [
  ['x-content-type-options', 'nosniff'],
  [
    'content-security-policy',
    "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
  ],
  ['referrer-policy', 'no-referrer'],
];
/** A year, in seconds: browsers then come over TLS only (RFC 6797). */
const STRICT = 'max-age=31536000; includeSubDomains';

/** Puts what browsers need to know on an answer, whoever will write it. */
export const protectAnswer = (response: ServerResponse, place: Pick<Config, 'tls' | 'publicUrl'>): void => {
  for (const [name, value] of ALWAYS) response.setHeader(name, value);
  if (isSecure(place)) response.setHeader('strict-transport-security', STRICT);
};

/** Nothing keeps answers of our own API unless a route says otherwise. */
export const forbidKeeping = (app: FastifyInstance): void => {
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.url?.startsWith('/api/') === true) reply.header('cache-control', 'no-store');
  });
};
