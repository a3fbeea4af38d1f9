import type { FastifyRequest } from 'fastify';
import { WeighbridgeError } from '../errors.ts';
import type { Identity, Role } from '../identity/roles.ts';
import { API_SCOPE } from '../identity/terms.ts';

/** A role, or `anyone`: whoever has no token at a gateway that was told to ask for none. */
export type Subject = Role | 'anyone';

const PEOPLE: readonly Subject[] = ['viewer', 'auditor', 'approver', 'admin'];
const EVERYBODY: readonly Subject[] = ['pipeline', ...PEOPLE, 'anyone'];

/** Who may load artefacts from the mounts of ecosystems. */
export const MAY_LOAD: readonly Subject[] = ['pipeline', 'admin', 'anyone'];

/** Who may do what, by method and route. A route that is not here is for admins only. */
export const RIGHTS: Readonly<Record<string, readonly Subject[]>> = {
  'GET /openapi.json': EVERYBODY,
  'GET /metrics': [...PEOPLE, 'anyone'],
  'GET /api/v1/reports/:digest': EVERYBODY,
  'GET /api/v1/statements/:digest': EVERYBODY,
  'GET /api/v1/compare/:first/:second': EVERYBODY,
  'GET /api/v1/policies/:digest': [...PEOPLE, 'anyone'],
  'GET /api/v1/facts/:digest': ['auditor', 'approver', 'admin'],
  'GET /api/v1/log': ['auditor', 'approver', 'admin'],
  'GET /api/v1/impact': ['auditor', 'approver', 'admin'],
  'GET /api/v1/log/checkpoint': PEOPLE,
  'GET /api/v1/log/inclusion': ['auditor', 'approver', 'admin'],
  'GET /api/v1/log/consistency': ['auditor', 'approver', 'admin'],
  'GET /api/v1/log/tile/*': ['auditor', 'approver', 'admin'],
  'GET /api/v1/scan': ['pipeline', 'approver', 'admin', 'anyone'],
  'POST /api/v1/scan': ['pipeline', 'approver', 'admin', 'anyone'],
  'GET /api/v1/quarantine': ['auditor', 'approver', 'admin'],
  'GET /api/v1/quarantine/:id': ['auditor', 'approver', 'admin'],
  'POST /api/v1/quarantine': ['pipeline', 'approver', 'admin'],
  'POST /api/v1/quarantine/release': ['approver', 'admin'],
  'POST /api/v1/quarantine/:id/approve': ['approver', 'admin'],
  'POST /api/v1/quarantine/:id/refuse': ['approver', 'admin'],
  'POST /api/v1/quarantine/:id/revoke': ['approver', 'admin'],
  'POST /api/v1/quarantine/:id/comment': ['approver', 'admin'],
  'GET /api/v1/session': EVERYBODY,
  'DELETE /api/v1/session': PEOPLE,
  'POST /api/v1/session/password': PEOPLE,
  'GET /api/v1/sessions': PEOPLE,
  'POST /api/v1/sessions/end': PEOPLE,
  'GET /api/v1/accounts': ['admin'],
  'POST /api/v1/accounts': ['admin'],
  'POST /api/v1/accounts/:name/password': ['admin'],
  'POST /api/v1/accounts/:name/role': ['admin'],
  'POST /api/v1/accounts/:name/disable': ['admin'],
  'GET /api/v1/tokens': ['admin'],
  'POST /api/v1/tokens': ['admin'],
  'POST /api/v1/tokens/:id/revoke': ['admin'],
  'GET /api/v1/credentials': ['admin'],
  'POST /api/v1/credentials': ['admin'],
  'POST /api/v1/credentials/remove': ['admin'],
  'GET /api/v1/orders': ['auditor', 'approver', 'admin'],
  'POST /api/v1/orders': ['admin'],
  'POST /api/v1/orders/:id/approve': ['approver', 'admin'],
  'POST /api/v1/orders/:id/lift': ['admin'],
};

/** Answered to everybody, without a token: an orchestrator's probes have none. */
export const OPEN: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/** Where people say who they are: nobody can be known there yet. By method and route. */
export const SIGN_IN: ReadonlySet<string> = new Set([
  'POST /api/v1/session',
  'GET /api/v1/session/ways',
  'GET /api/v1/session/oidc',
  'GET /api/v1/session/oidc/callback',
]);

/** The ecosystem that a route belongs to, by name. Routes are asked, not URLs: those can be written in many ways. */
const ecosystemAt = (route: string, mounts: Readonly<Record<string, string>>): string | undefined =>
  Object.entries(mounts).find(([, mount]) => route === mount || route.startsWith(`${mount}/`))?.[0];

/**
 * Throws FORBIDDEN when `subject` may not use the route of `request`, or the caller's token is not for that mount.
 * `mounts` says where each ecosystem is mounted. Where there is no route nothing is said: that is NOT_FOUND.
 */
export const checkRights = (
  request: FastifyRequest,
  subject: Subject,
  caller: Identity | undefined,
  mounts: Readonly<Record<string, string>>,
): void => {
  const route = request.routeOptions.url;
  if (route === undefined) return;
  const ecosystem = ecosystemAt(route, mounts);
  const may = ecosystem === undefined ? (RIGHTS[`${request.method} ${route}`] ?? ['admin']) : MAY_LOAD;
  if (!may.includes(subject))
    throw new WeighbridgeError('FORBIDDEN', `this is not for ${worded(subject)}; it is for ${may.join(', ')}`);
  const scope = ecosystem ?? API_SCOPE;
  if (caller === undefined || caller.scopes.length === 0 || caller.scopes.includes(scope)) return;
  throw new WeighbridgeError(
    'FORBIDDEN',
    `${request.session === undefined ? 'the token' : 'a session'} is not for ${scope}; it is for ${caller.scopes.join(', ')}`,
  );
};

const worded = (subject: Subject): string => (subject === 'anyone' ? 'callers without a token' : `the role ${subject}`);
