import { randomUUID } from 'node:crypto';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify';
import { KIB, MIB } from '../bytes/limits.ts';
import type { Config } from '../config.ts';
import type { Ecosystem, EcosystemDeps } from '../ecosystems/types.ts';
import type { SignInOffice } from '../gateway/account-office.ts';
import type { Directory } from '../gateway/oidc/directory.ts';
import type { OrderOffice } from '../gateway/orders/office.ts';
import type { ReleaseDesk } from '../gateway/quarantine/desk.ts';
import type { TokenOffice } from '../gateway/token-office.ts';
import { serveAccounts } from './accounts.ts';
import type { Route } from './api/operation.ts';
import { serveDocument } from './api/serve.ts';
import { guard } from './auth.ts';
import { sendContinue } from './bodies.ts';
import { serveComparison } from './compare.ts';
import { type Drain, drainable } from './drain.ts';
import { handleErrors, refuseUnroutable } from './errors.ts';
import { forbidKeeping } from './headers.ts';
import { type HealthFact, serveHealth } from './health.ts';
import { serveImpact } from './impact.ts';
import { type LogParts, serveLog } from './log.ts';
import { serveLogTree } from './log-tree.ts';
import { createLogger } from './logger.ts';
import { type Lookup, serveLookups } from './lookups.ts';
import { type Metrics, serveMetrics } from './metrics.ts';
import { serveOrders } from './orders.ts';
import { serveOwnPassword } from './own-password.ts';
import { serveOwnSessions } from './own-sessions.ts';
import { serveQuarantine } from './quarantine.ts';
import { type Refusals, refusalsInto } from './refused.ts';
import { type ScanParts, serveScan } from './scan/route.ts';
import { createHttpServer, refuseMalformed } from './server.ts';
import { serveSession } from './session.ts';
import { serveOidc } from './session-oidc.ts';
import { takeTeam } from './team-path.ts';
import { serveCredentials, serveTokens } from './tokens.ts';
import { traceRequests } from './trace.ts';

/** A list of some ten thousand paths; nothing larger is ever asked with. */
const BODY_LIMIT = 2 * MIB;
/** Repo, revision and path together, percent-encoded. */
const PATH_LIMIT = 16 * KIB;

/** An ecosystem with what it works on and where it is served. */
export type Mounted = { readonly ecosystem: Ecosystem; readonly deps: EcosystemDeps; readonly mount: string };

export type AppParts = {
  readonly config: Config;
  readonly ecosystems: readonly Mounted[];
  readonly metrics: Metrics;
  readonly health: () => Promise<readonly HealthFact[]>;
  readonly lookups: Readonly<Record<string, Lookup>>;
  /** What uploads are scanned with; without it there are no uploads. */
  readonly scan?: ScanParts;
  /** What the log is searched with; without it there are no searches. */
  readonly log?: LogParts;
  /** What tokens are made and found with; without it only those in the settings are known. */
  readonly office?: TokenOffice;
  /** Where people have accounts and sign in; without it nobody does. */
  readonly people?: SignInOffice;
  /** The provider that people sign in with who have no account here; without it there is none. */
  readonly directory?: Directory;
  /** Where orders are given; without it there are none. */
  readonly orders?: OrderOffice;
  /** Where releases are asked for and decided; without it nothing is. */
  readonly quarantine?: ReleaseDesk;
  readonly logger?: FastifyBaseLogger;
  /** Makes a span of each request; without it there are none. */
  readonly traced?: (server: FastifyInstance) => void;
};

export type App = { readonly server: FastifyInstance; readonly routes: readonly Route[] } & Drain;

/**
 * The whole HTTP face: errors, access, health, metrics, then each ecosystem below its mount. Not yet listening.
 *
 * Routes are matched as they are written: no slash is added, dropped or folded, and HEAD exists only where an
 * ecosystem defines it. Ecosystems read `request.raw.url`, which nobody has decoded.
 */
export const createApp = async (parts: AppParts): Promise<App> => {
  const { config, ecosystems } = parts;
  const mounts = ecosystems.map(({ mount }) => mount);
  const server = createInstance(config, mounts, quieter(parts.logger ?? createLogger(config.log.level)));

  traceRequests(server);
  parts.traced?.(server);
  const routes = collectRoutes(server);
  identify(server);
  forbidKeeping(server);
  const refused: Refusals = parts.log === undefined ? () => undefined : refusalsInto(parts.log.log);
  handleErrors(server, [...mounts, '/api/v1', '/openapi.json', '/healthz', '/readyz', '/metrics'], refused);
  serveMetrics(server, parts.metrics, mounts);
  const drain = drainable(server);
  guard(server, {
    config,
    mounts: mountsOf(ecosystems),
    ...(parts.office !== undefined && { tokens: parts.office.tokens }),
    ...(parts.people !== undefined && { sessions: parts.people.sessions }),
  });
  sendContinue(server);
  serveHealth(server, parts.health, drain.draining);
  serveDocument(server, routes);
  serveLookups(server, parts.lookups);
  if (parts.lookups['reports'] !== undefined) serveComparison(server, parts.lookups['reports']);
  if (parts.scan !== undefined) await serveScan(server, parts.scan);
  const { office, orders, people } = parts;
  if (office !== undefined) await server.register(async (scope) => serveTokens(scope, office));
  if (office !== undefined) await server.register(async (scope) => serveCredentials(scope, office));
  if (people !== undefined) serveSession(server, people, config, parts.directory);
  if (people !== undefined) serveOidc(server, people, config, parts.directory);
  if (people !== undefined) serveOwnPassword(server, people, config);
  if (people !== undefined) serveOwnSessions(server, people, config);
  if (people !== undefined) await server.register(async (scope) => serveAccounts(scope, people));
  if (orders !== undefined) await server.register(async (scope) => serveOrders(scope, orders));
  const { quarantine } = parts;
  if (quarantine !== undefined) await server.register(async (scope) => serveQuarantine(scope, quarantine));
  if (parts.log !== undefined) serveLog(server, parts.log);
  if (parts.log !== undefined) serveImpact(server, parts.log);
  if (parts.log !== undefined) serveLogTree(server, parts.log);
  for (const { ecosystem, deps, mount } of ecosystems) {
    await server.register(async (scope) => ecosystem.plugin(scope, deps), { prefix: mount });
  }
  return { server, routes, ...drain };
};

const mountsOf = (mounted: readonly Mounted[]): Readonly<Record<string, string>> =>
  Object.fromEntries(mounted.map(({ ecosystem, mount }) => [ecosystem.name, mount]));

const createInstance = (
  config: Config,
  mounts: readonly string[],
  loggerInstance: FastifyBaseLogger,
): FastifyInstance => {
  const options: FastifyServerOptions = {
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    frameworkErrors: refuseUnroutable,
    serverFactory: (listener) => createHttpServer(config, listener),
    clientErrorHandler: refuseMalformed,
    rewriteUrl: (request) => takeTeam(request, mounts),
    bodyLimit: BODY_LIMIT,
    trustProxy: config.trustProxy.length === 0 ? false : [...config.trustProxy],
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: () => randomUUID(),
    return503OnClosing: false,
    routerOptions: {
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      maxParamLength: PATH_LIMIT,
    },
  };
  return fastify(options);
};

/** The server's own remarks (that it listens) would stand before the one line that a user should read. */
const quieter = (logger: FastifyBaseLogger): FastifyBaseLogger =>
  logger.level === 'info' ? logger.child({}, { level: 'warn' }) : logger;

const collectRoutes = (server: FastifyInstance): readonly Route[] => {
  const routes: Route[] = [];
  server.addHook('onRoute', ({ config, method, url }) => {
    const operation = config?.operation;
    for (const one of [method].flat()) routes.push({ method: one, url, ...(operation !== undefined && { operation }) });
  });
  return routes;
};

/** Puts the request's id on every answer, also on those that an ecosystem writes by itself. */
const identify = (server: FastifyInstance): void => {
  server.addHook('onRequest', async (request, reply) => {
    reply.raw.setHeader('x-request-id', request.id);
  });
};
