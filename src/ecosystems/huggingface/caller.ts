import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Requester } from '../../gateway/types.ts';
import { type Client, readUserAgent } from './clients.ts';

/** Who asks the Hub through us. */
export type Caller = {
  /** What goes upstream, and nowhere else. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Callers with the same rights upstream have the same scope. Says nothing about the token. */
  readonly scope: string;
  readonly client: Client;
  readonly who: Requester;
};

/**
 * Reads who asks from a request. `route` is the template of the URL, for the log. Whoever brings no credential of the Hub
 * has that of its team, if a token proves the team: one in the path proves nothing.
 */
export const readCaller = (
  request: FastifyRequest,
  reply: FastifyReply,
  route: string,
  credentialOf: (team: string) => string | undefined,
): Caller => {
  const { team, teamFrom } = request.belongs;
  const stored = teamFrom === 'token' ? credentialOf(team) : undefined;
  const authorization = request.raw.headers.authorization ?? (stored === undefined ? undefined : `Bearer ${stored}`);
  const client = readUserAgent(request.raw.headers['user-agent']);
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  const scope = authorization === undefined ? '' : createHash('sha256').update(authorization).digest('base64url');
  return {
    credentials: authorization === undefined ? {} : { authorization },
    scope,
    client,
    who: {
      request: { id: request.id, method: request.method, route },
      // Who is behind a pseudonym is kept on disk: of a token never more than its digest.
      identity: request.caller?.name ?? (scope === '' ? addressOf(request) : `hub token ${scope}`),
      ...request.belongs,
      client: { name: client.name, version: client.version },
      checksLength: client.checksLength,
      signal: gone.signal,
    },
  };
};

/** The address of the client; the socket of one that has gone by now has none. */
const addressOf = ({ ip }: { readonly ip?: string | undefined }): string => ip ?? 'gone';
