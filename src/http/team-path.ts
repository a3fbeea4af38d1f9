import type { IncomingMessage } from 'node:http';
import { isName } from '../identity/terms.ts';

const teams = new WeakMap<IncomingMessage, string>();

/**
 * Takes `/t/<team>` off a URL that goes on with a mount, and remembers the team: for clients that can be given a URL and
 * nothing else. Returns the URL as everybody else sees it. Nothing but a mount is reached in this way.
 */
export const takeTeam = (request: IncomingMessage, mounts: readonly string[]): string => {
  const url = request.url ?? '/';
  const [, team = '', rest = ''] = /^\/t\/([^/?#]*)(\/.*)$/s.exec(url) ?? [];
  if (!isName(team) || !mounts.some((mount) => rest.startsWith(`${mount}/`))) return url;
  teams.set(request, team);
  return rest;
};

/** The team that the path of a request named; empty when it named none. */
export const teamInPath = (request: IncomingMessage): string => teams.get(request) ?? '';
