import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAccessLog } from './audit/access-log.ts';
import type { Config } from './config.ts';
import { ecosystems } from './ecosystems/index.ts';
import { WeighbridgeError } from './errors.ts';
import { createGateway } from './gateway/gateway.ts';
import { watchPolicies } from './gateway/policies.ts';
import type { Timings } from './gateway/waiting.ts';
import { createApp, type Mounted } from './http/app.ts';
import type { HealthFact } from './http/health.ts';
import { counted, createMetrics } from './http/metrics.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import { openStore } from './store/store.ts';
import { createUpstream } from './upstream/upstream.ts';

/** A gateway that listens. */
export type Serving = {
  /** The first lines for the user: the one setting to make for each ecosystem. */
  readonly greeting: string;
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Resolves when it has stopped. */
  readonly stopped: Promise<void>;
  /** Refuses new work, lets running answers end for as long as `config.drain` says, and closes everything. */
  stop(): Promise<void>;
};

/** Puts a whole gateway together from its settings and starts it. Whatever was opened is closed again when a part fails. */
export const serve = async (config: Config, options: { timings?: Partial<Timings> } = {}): Promise<Serving> => {
  const closers: (() => Promise<unknown>)[] = [];
  const opened = <P extends { close(): unknown }>(part: P): P => {
    closers.unshift(async () => part.close());
    return part;
  };
  const closeAll = async (): Promise<void> => {
    for (const close of closers) await close().catch(() => undefined);
  };
  try {
    const metrics = createMetrics();
    const store = opened(await openStore({ data: config.data, limit: config.store.limit }));
    const { blobs, records } = store;
    const remember = (pseudonym: string, value: string): void => {
      records.add('person', pseudonym, { value, at: Date.now() }).catch(() => undefined);
    };
    const log = counted(
      opened(await createAccessLog({ directory: join(config.data, 'log'), origin: config.log.origin, remember })),
      metrics,
    );
    const sandbox = opened(await createSandbox(config.sandbox));
    const policies = opened(
      await watchPolicies(config.policies, {
        loaded: (set, previous = '') => {
          void records.put('policySet', set.digest, { files: set.files, at: Date.now() });
          log.enqueue({ kind: 'policy.loaded', detail: { digest: set.digest, previous } });
        },
        rejected: ({ message }) => {
          metrics.policyLoadErrors.inc();
          log.enqueue({ kind: 'policy.rejected', detail: { message } });
        },
      }),
    );
    const gateway = createGateway({ blobs, records, sandbox, log, policies: policies.current, ...options });

    const mounted: Mounted[] = [];
    for (const ecosystem of ecosystems) {
      const origin = config.upstreams[ecosystem.name];
      if (origin === undefined) throw new WeighbridgeError('CONFIG_INVALID', `no upstream for ${ecosystem.name}`);
      const upstream = opened(createUpstream({ origin, allowPrivate: config.allowPrivate }));
      const mount = config.mounts[ecosystem.name] ?? ecosystem.mount;
      const publicUrl = config.publicUrl === undefined ? undefined : config.publicUrl.replace(/\/$/, '') + mount;
      mounted.push({ ecosystem, mount, deps: { gateway, upstream, records, publicUrl } });
    }

    const health = async (): Promise<readonly HealthFact[]> => [
      ...sandbox
        .walls()
        .map(({ name, stands, detail }) => ({ name: `wall ${name}`, ok: stands, detail, required: false })),
      {
        name: 'sandbox workers',
        ok: sandbox.stats().workers > 0,
        detail: `${sandbox.stats().workers} alive`,
        required: true,
      },
    ];
    metrics.gauge('weighbridge_store_bytes', 'Bytes of blobs in the store', async () => (await blobs.usage()).bytes);
    metrics.gauge('weighbridge_sandbox_restarts', 'Sandbox workers that were replaced', () => sandbox.stats().restarts);
    metrics.gauge('weighbridge_log_entries', 'Entries in the access log', () => log.size);
    const lookups = {
      reports: (digest: string) => records.get('report', `${sandbox.ruleset}/${digest}`),
      facts: (digest: string) => records.get('facts', digest),
    };
    const app = await createApp({ config, ecosystems: mounted, metrics, health, lookups });
    await app.server.listen({ host: config.host, port: config.port });
    await log.append({
      kind: 'node.start',
      detail: { policySet: policies.current().digest, ruleset: sandbox.ruleset },
    });

    const url = listeningUrl(config, app.server.server.address());
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    let stopping: Promise<void> | undefined;
    const end = async (): Promise<void> => {
      await app.drain(config.drain);
      await log.append({ kind: 'node.stop' }).catch(() => undefined);
      await closeAll();
      resolve();
    };
    const stop = (): Promise<void> => {
      stopping ??= end();
      return stopping;
    };
    const settings = mounted.map(({ ecosystem, mount }) => ecosystem.setting(`${config.publicUrl ?? url}${mount}`));
    const greeting = `Weighbridge is listening. Point your pipeline at it:\n  ${settings.join('\n  ')}`;
    return { greeting, url, stopped, stop };
  } catch (error) {
    await closeAll();
    throw error;
  }
};

const listeningUrl = (config: Config, address: AddressInfo | string | null): string => {
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return `${config.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
};
