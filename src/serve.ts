import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createAccessLog } from './audit/access-log.ts';
import { createLogSearch, type LogSearch } from './audit/log-search.ts';
import { thinLog } from './audit/retention.ts';
import type { AccessLog } from './audit/types.ts';
import type { Config } from './config.ts';
import { ecosystems, mountsFor } from './ecosystems/index.ts';
import { WeighbridgeError } from './errors.ts';
import type { SignInOffice } from './gateway/account-office.ts';
import { openAccounts } from './gateway/accounts.ts';
import { createGateway } from './gateway/gateway.ts';
import { type KnownBadWatcher, watchKnownBad } from './gateway/known-bad.ts';
import { type Directory, directoryDigest, openDirectory } from './gateway/oidc/directory.ts';
import { type OrderBook, openOrders } from './gateway/orders/book.ts';
import { createKeeping } from './gateway/orders/kept.ts';
import type { OrderOffice } from './gateway/orders/office.ts';
import { createRunningUnder } from './gateway/orders/recheck.ts';
import { createRestraint, type Restrain } from './gateway/orders/restrain.ts';
import type { RunningBodies } from './gateway/orders/running.ts';
import { createServedBefore } from './gateway/orders/served-before.ts';
import { type PolicyWatcher, watchPolicies } from './gateway/policies.ts';
import { enterLoaded, enterRejected, enterShadow, lastSet } from './gateway/policy-log.ts';
import { openReleases } from './gateway/quarantine/book.ts';
import { startClock } from './gateway/quarantine/clock.ts';
import type { ReleaseDesk } from './gateway/quarantine/desk.ts';
import type { Releases } from './gateway/quarantine/releases.ts';
import { openSessions } from './gateway/sessions.ts';
import { openStreams } from './gateway/streams/open.ts';
import { openPosts } from './gateway/streams/post.ts';
import type { Stream } from './gateway/streams/stream.ts';
import type { TokenOffice } from './gateway/token-office.ts';
import { openTokens } from './gateway/tokens.ts';
import type { Gateway } from './gateway/types.ts';
import { openVault } from './gateway/vault.ts';
import type { Timings } from './gateway/waiting.ts';
import { createApp, type Mounted } from './http/app.ts';
import type { HealthFact } from './http/health.ts';
import { createLogger } from './http/logger.ts';
import { measured } from './http/measured.ts';
import { counted, createMetrics, type Metrics } from './http/metrics.ts';
import type { ScanParts } from './http/scan/route.ts';
import { openTracing, type Tracing } from './http/tracing/tracing.ts';
import type { Signing } from './policy/signatures.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import type { Sandbox } from './sandbox/types.ts';
import { loadSecretKey } from './store/secret-key.ts';
import { openStore, type Store } from './store/store.ts';
import { createExchange } from './upstream/exchange.ts';
import { createUpstream } from './upstream/upstream.ts';

/** A gateway that listens. */
export type Serving = {
  /** The first line for the user: the one setting to make for each ecosystem. */
  readonly greeting: string;
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
  /** Refuses new work, lets running answers end for as long as `config.drain` says, and closes everything. */
  stop(): Promise<void>;
};

/** Closes what was opened, the newest first. */
type Closing = { <P extends { close(): unknown }>(part: P): P; all(): Promise<void> };

type Parts = {
  readonly config: Config;
  readonly tracing: Tracing;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly log: AccessLog;
  readonly search: LogSearch;
  readonly sandbox: Sandbox;
  readonly policies: PolicyWatcher;
  readonly shadow: PolicyWatcher | undefined;
  readonly knownBad: KnownBadWatcher;
  readonly logger: ReturnType<typeof createLogger>;
  readonly book: OrderBook;
};

/** Puts a whole gateway together and starts it. Whatever was opened is closed again when a part fails. */
export const serve = async (config: Config, options: { timings?: Partial<Timings> } = {}): Promise<Serving> => {
  const opened = createClosing();
  try {
    const parts = await openParts(config, opened);
    const { metrics, store, log, search, sandbox, policies, knownBad, tracing } = parts;
    const judging = { policies: tracing.policies(policies.current), knownBad: knownBad.lookup };
    const { orders, restrain, running } = ordersOf(parts);
    const { quarantine, releases } = await quarantineOf(parts, opened);
    const beside = { orders: { restrain, running }, releases, shadow: parts.shadow?.current };
    const gateway = tracing.gateway(createGateway({ ...store, sandbox, log, ...judging, ...beside, ...options }));
    const office = { ...(await officeOf(parts)), ended: running.bar };
    const mounted = ecosystems.map((ecosystem) => mount(parts, gateway, office, ecosystem, opened));
    watch(parts);
    opened(retain(parts));
    for (const stream of streamsOf(parts)) opened(await stream);
    const health = async (): Promise<readonly HealthFact[]> => healthOf(parts);
    const lookups = lookupsOf(parts);
    const { logger } = parts;
    const people = await peopleOf(parts);
    const desks = { office, people, ...directoryOf(parts, people, opened), orders, quarantine };
    const served = { metrics, health, lookups, scan: scanOf(parts), log: { log, search }, ...desks, logger };
    const app = await createApp({ config, ecosystems: mounted, traced: tracing.requests, ...served });
    await app.server.listen({ host: config.host, port: config.port });
    await log.append({
      kind: 'node.start',
      detail: { policySet: policies.current().digest, ruleset: sandbox.ruleset },
    });

    const url = listeningUrl(config, app.server.server.address());
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const end = async (): Promise<void> => {
      await app.drain(config.drain);
      await log.append({ kind: 'node.stop' }).catch(() => undefined);
      await opened.all();
      resolve();
    };
    let ending: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      ending ??= end();
      return ending;
    };
    return { greeting: greet(config, url, mounted), url, stopped, stop };
  } catch (error) {
    await opened.all();
    throw error;
  }
};

const openParts = async (config: Config, opened: Closing): Promise<Parts> => {
  const metrics = createMetrics();
  const logger = createLogger(config.log.level);
  const tracing = opened(await openTracing(config.telemetry, metrics.registry, logger));
  // Legal holds are known once the records are open, and nothing is evicted before that.
  const keeping: { blob?: (sha256: string) => boolean } = {};
  const kept = (sha256: string): boolean => keeping.blob?.(sha256) ?? true;
  const store = opened(await openStore({ data: config.data, limit: config.store.limit, kept }));
  const { records } = store;
  const remember = (pseudonym: string, value: string): void => {
    records.add('person', pseudonym, { value, at: Date.now() }).catch(() => undefined);
  };
  const directory = join(config.data, 'log');
  const written = opened(await createAccessLog({ directory, origin: config.log.origin, remember }));
  const log = tracing.log(counted(written, metrics));
  const search = opened(createLogSearch(directory));
  const sandbox = tracing.sandbox(measured(opened(await createSandbox(config.sandbox)), metrics.registry));
  const last = await lastSet(records);
  const policies = opened(
    await watchPolicies(
      config.policies.path,
      {
        loaded: (set, previous = last, signers) => {
          records.put('policySet', set.digest, { files: set.files, at: Date.now() }).catch(() => undefined);
          enterLoaded(log, set, previous, signers);
        },
        rejected: (fault) => {
          metrics.policyLoadErrors.inc();
          process.stderr.write(
            `The policies were changed but not taken, the last good ones stay in force:\n${fault.message}\n`,
          );
          enterRejected(log, fault, false);
        },
      },
      { mode: config.mode, signing: signingOf(config) },
    ),
  );
  const shadow = await shadowOf(config, records, log, opened);
  const knownBad = opened(
    await watchKnownBad(config.knownBad, {
      loaded: ({ digest, entries }) =>
        log.enqueue({ kind: 'knownbad.loaded', detail: { digest, digests: entries.size } }),
      rejected: ({ message }) => {
        metrics.policyLoadErrors.inc();
        process.stderr.write(
          `The list of known-bad digests was changed but not taken, the last good one stays in force:\n${message}\n`,
        );
        log.enqueue({ kind: 'knownbad.rejected', detail: { message: message.slice(0, 1000) } });
      },
    }),
  );
  const book = await openOrders(records);
  keeping.blob = createKeeping(book).blob;
  return { config, tracing, metrics, store, log, search, sandbox, policies, shadow, knownBad, logger, book };
};

/** Who must have signed the policies; undefined where nobody must. */
const signingOf = ({ policies: { signers, signatures } }: Config): Signing | undefined =>
  Object.keys(signers).length === 0 ? undefined : { signers, needed: signatures };

/** The policies that decide beside those in force. */
const shadowOf = async (
  { policies: { shadow } }: Config,
  records: Store['records'],
  log: AccessLog,
  opened: Closing,
): Promise<PolicyWatcher | undefined> =>
  shadow === undefined
    ? undefined
    : opened(
        await watchPolicies(shadow, {
          loaded: (set) => enterShadow(log, records, set),
          rejected: (fault) => {
            process.stderr.write(`The shadow policies were changed but not taken:\n${fault.message}\n`);
            enterRejected(log, fault, true);
          },
        }),
      );

const mount = (
  { config, store, tracing }: Parts,
  gateway: Gateway,
  { vault }: TokenOffice,
  ecosystem: (typeof ecosystems)[number],
  opened: Closing,
): Mounted => {
  const origin = config.upstreams[ecosystem.name];
  if (origin === undefined) throw new WeighbridgeError('CONFIG_INVALID', `no upstream for ${ecosystem.name}`);
  const upstream = tracing.upstream(opened(createUpstream({ origin, allowPrivate: config.allowPrivate })));
  const path = mountsFor(config)[ecosystem.name] ?? ecosystem.mount;
  const publicUrl = config.publicUrl === undefined ? undefined : config.publicUrl.replace(/\/$/, '') + path;
  const credentialOf = (team: string): string | undefined => vault.get(ecosystem.name, team);
  return { ecosystem, mount: path, deps: { gateway, upstream, records: store.records, credentialOf, publicUrl } };
};

/** Sends entries of the log, and posts its checkpoints, to where the settings say. */
const streamsOf = ({ config, log, logger, search, store }: Parts): readonly Promise<Stream>[] => {
  const tell =
    (what: string) =>
    (to: string, problem: string | undefined): void =>
      problem === undefined
        ? logger.warn({ to }, `${what} of the access log arrive again`)
        : logger.error({ to, problem }, `${what} of the access log do not arrive`);
  const from = { directory: join(config.data, 'log'), log, search, records: store.records };
  return [
    openStreams(config.log.streams, { ...from, tell: tell('entries') }),
    openPosts(config.log.post, { ...from, tell: tell('checkpoints') }),
  ];
};

/** ms between two looks at what is past its time. */
const RETENTION_INTERVAL = 24 * 3_600_000;

/** Takes out of the log what is past its time, now and from time to time. */
const retain = ({ book, config, log, logger }: Parts): { close(): void } => {
  const { keep, keepDecisions } = config.log;
  const retention = { keep, keepDecisions, held: createKeeping(book).entry };
  const look = (): void => {
    thinLog(join(config.data, 'log'), log, retention, Date.now()).catch((err: unknown) =>
      logger.error({ err }, 'what is past its time stays in the access log'),
    );
  };
  look();
  const timer = setInterval(look, RETENTION_INTERVAL).unref();
  return { close: () => clearInterval(timer) };
};

const watch = ({ metrics, store, sandbox, log }: Parts): void => {
  metrics.gauge(
    'weighbridge_store_bytes',
    'Bytes of blobs in the store',
    async () => (await store.blobs.usage()).bytes,
  );
  metrics.gauge('weighbridge_sandbox_restarts', 'Sandbox workers replaced', () => sandbox.stats().restarts);
  metrics.gauge('weighbridge_log_entries', 'Entries in the access log', () => log.size);
};

const healthOf = ({ sandbox, policies, shadow, knownBad }: Parts): readonly HealthFact[] => {
  const { workers } = sandbox.stats();
  const fault = policies.fault();
  return [
    ...sandbox
      .walls()
      .map(({ name, stands, detail }) => ({ name: `wall ${name}`, ok: stands, detail, required: false })),
    { name: 'sandbox workers', ok: workers > 0, detail: `${workers} alive`, required: true },
    { name: 'policies', ok: fault === undefined, detail: fault?.message ?? policies.current().digest, required: false },
    ...healthOfShadow(shadow),
    ...healthOfList(knownBad),
  ];
};

const healthOfShadow = (shadow: PolicyWatcher | undefined): readonly HealthFact[] => {
  if (shadow === undefined) return [];
  const fault = shadow.fault();
  const detail = fault?.message ?? shadow.current().digest;
  return [{ name: 'shadow policies', ok: fault === undefined, detail, required: false }];
};

const healthOfList = (knownBad: KnownBadWatcher): readonly HealthFact[] => {
  const list = knownBad.current();
  const fault = knownBad.fault();
  if (list === undefined) return [];
  const detail = fault?.message ?? `${list.entries.size} digests, issued ${new Date(list.issued).toISOString()}`;
  return [{ name: 'known-bad list', ok: fault === undefined, detail, required: false }];
};

const lookupsOf = ({ store: { records }, sandbox }: Parts) => ({
  reports: (digest: string) => records.get('report', `${sandbox.ruleset}/${digest}`),
  facts: (digest: string) => records.get('facts', digest),
  statements: (digest: string) => records.get('statement', digest),
  policies: (digest: string) => records.get('policySet', digest),
});

const vaultKey = ({ auth, data }: Config): Uint8Array =>
  auth.vaultKey === undefined ? loadSecretKey(data) : Buffer.from(auth.vaultKey, 'hex');

const officeOf = async ({ config, store, log }: Parts): Promise<TokenOffice> => ({
  tokens: await openTokens(store.records),
  vault: await openVault(store.records, vaultKey(config)),
  log,
  mounts: mountsFor(config),
});

const peopleOf = async ({ config, store: { records }, log }: Parts): Promise<SignInOffice> => {
  const accounts = await openAccounts(records);
  const { oidc } = config.auth;
  const digest = oidc === undefined ? undefined : directoryDigest(oidc);
  return { accounts, sessions: await openSessions(records, accounts, Date.now, digest), log };
};

const directoryOf = (
  { config }: Parts,
  { sessions }: SignInOffice,
  opened: Closing,
): { readonly directory?: Directory } => {
  const { oidc } = config.auth;
  if (oidc === undefined) return {};
  const { issuer, ca, proxy, allowPrivate } = oidc;
  const origin = { url: issuer, ...(ca !== undefined && { ca }), ...(proxy !== undefined && { proxy }) };
  const exchange = opened(createExchange(origin, allowPrivate));
  return { directory: openDirectory(oidc, exchange, sessions, vaultKey(config)) };
};

const ordersOf = (
  parts: Parts,
): { readonly orders: OrderOffice; readonly restrain: Restrain; readonly running: RunningBodies } => {
  const { book, log, logger, policies, search, store } = parts;
  const restrain = createRestraint(book, createServedBefore(search));
  const running = createRunningUnder(book, restrain, store.records, policies.current);
  const alert: OrderOffice['alert'] = (text, detail) => logger.error(detail, text);
  return { orders: { book, log, records: store.records, running, alert }, restrain, running };
};

const quarantineOf = async (
  { store: { records }, log, search, policies: { current: policies, signers } }: Parts,
  opened: Closing,
): Promise<{ readonly quarantine: ReleaseDesk; readonly releases: Releases }> => {
  const book = await openReleases(records);
  const clock = opened(startClock({ book, log, policies }));
  const quarantine = { book, records, log, search, policies, signers };
  return { quarantine, releases: { covering: book.covering, hold: clock.hold } };
};

const scanOf = ({ config, store, sandbox, policies, knownBad, log }: Parts): ScanParts => ({
  ...store,
  sandbox,
  policies: policies.current,
  knownBad: knownBad.lookup,
  log,
  limit: config.uploads.limit,
});

/** The URL with which others reach what listens on every address: by the name of this machine. */
export const reachable = (url: string): string => url.replace(/\/\/(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/, `//${hostname()}`);

const greet = ({ publicUrl, mode }: Config, local: string, mounted: readonly Mounted[]): string => {
  const url = (publicUrl ?? reachable(local)).replace(/\/$/, '');
  const settings = mounted.map(({ ecosystem, mount: path }) => ecosystem.setting(url + path));
  const observing = mode === 'observe' ? ' and observes only: nothing is refused' : '';
  return `Weighbridge is listening${observing}. Point your pipeline at it: ${settings.join('  ')}`;
};

const listeningUrl = (config: Config, address: AddressInfo | string | null): string => {
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return `${config.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
};

const createClosing = (): Closing => {
  const closers: (() => unknown)[] = [];
  const opened = <P extends { close(): unknown }>(part: P): P => {
    closers.unshift(() => part.close());
    return part;
  };
  const all = async (): Promise<void> => {
    // One that fails to close must not keep the others open.
    for (const close of closers) await (async () => close())().catch(() => undefined);
  };
  return Object.assign(opened, { all });
};
