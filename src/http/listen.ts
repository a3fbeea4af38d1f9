import { hostname } from 'node:os';
import type { Config } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import type { App, Mounted } from './app.ts';

/** A gateway that listens. */
export type Serving = {
  /** Where clients reach it, without a trailing slash. */
  readonly url: string;
  /** What to tell the user who started it: where it is, and the one setting to make for each ecosystem. */
  readonly greeting: string;
  /** Lets running answers end for up to `patience` ms, then closes everything. */
  readonly stop: (patience: number) => Promise<void>;
  /** Ends the patience of `stop`. */
  readonly hurry: () => void;
};

/** Begins to listen as configured. Throws CONFIG_INVALID when the address cannot be had. */
export const listen = async (app: App, config: Config, ecosystems: readonly Mounted[]): Promise<Serving> => {
  await app.server.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WeighbridgeError('CONFIG_INVALID', `cannot listen on ${config.host}:${config.port}: ${reason}`);
  });
  const url = reachable(app, config);
  const settings = ecosystems.map(({ ecosystem, mount }) => ecosystem.setting(`${url}${mount}`));
  return {
    url,
    greeting: `Weighbridge listens on ${url}. Point your pipeline at it: ${settings.join('  ')}`,
    stop: app.drain,
    hurry: app.hurry,
  };
};

const reachable = (app: App, { host, publicUrl, tls }: Config): string => {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const address = app.server.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? hostname() : host;
  return `${tls === undefined ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${port}`;
};
