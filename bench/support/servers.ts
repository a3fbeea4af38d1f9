import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheFolder, type Made } from './files.ts';
import { debian, freePort, type Running, start } from './processes.ts';

const root = resolve(import.meta.dirname, '..', '..');

/** What the stand-in Hub process is told: repos with files on disk. */
export type BenchRepo = { readonly name: string; readonly files: Readonly<Record<string, Made | string>> };

/** One request that the stand-in Hub, or its second host, was asked. */
export type Seen = {
  readonly where: 'hub' | 'cdn';
  readonly method: string;
  readonly path: string;
  readonly range?: string;
  readonly status: number;
  readonly bytes: number;
};

export type Hub = Running & { readonly url: string; seen(): Promise<readonly Seen[]> };

/**
 * The stand-in for the Hub, in a process of its own so that it does not share a core's time unseen. `cdnUrl` is a server
 * that has the large files, when it should not be this process.
 */
export const startHubProcess = async (repos: readonly BenchRepo[], cdnUrl?: string): Promise<Hub> => {
  const port = await freePort();
  const config = join(cacheFolder('run'), `hub-${port}.json`);
  writeFileSync(config, JSON.stringify({ port, repos, cdnUrl }));
  const hub = await start(process.execPath, [join(root, 'bench', 'support', 'hub-process.ts'), config], port);
  const ask = async () => JSON.parse(await (await fetch(`http://127.0.0.1:${port}/`)).text());
  return { ...hub, url: (await ask()).url, seen: async () => (await ask()).seen };
};

export type Gateway = Running & { readonly endpoint: string; readonly data: string };

/** A gateway as users run it, with an empty store unless `data` is given. */
export const startGateway = async (
  hubUrl: string,
  settings: Record<string, string> = {},
  data?: string,
): Promise<Gateway> => {
  const port = await freePort();
  const folder = data ?? mkdtempSync(join(cacheFolder('run'), 'data-'));
  const env = {
    WEIGHBRIDGE_PORT: String(port),
    WEIGHBRIDGE_DATA: folder,
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hubUrl,
    WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true',
    WEIGHBRIDGE_LOG_LEVEL: 'error',
    WEIGHBRIDGE_DRAIN: '2s',
    ...settings,
  };
  const args = [join(root, 'bin', 'weighbridge.mjs'), 'serve'];
  const gateway = await start(process.execPath, args, port, { env, ready: '/readyz' });
  return {
    ...gateway,
    endpoint: `http://127.0.0.1:${port}/hf`,
    data: folder,
    async stop() {
      await gateway.stop();
      if (data === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
};

/**
 * nginx with bench/nginx.conf before the files in `.cache/bench/files`, its cache empty at start. Its origin also has each
 * file at `/repos/<sha256>`, where the Hub's second host has it.
 */
export const startNginx = async (): Promise<Running & { origin: string; cached: string }> => {
  const program = debian('nginx', 'nginx-light');
  const folder = mkdtempSync(join(cacheFolder('run'), 'nginx-'));
  const [port, originPort] = [await freePort(), await freePort()];
  const { readFileSync } = await import('node:fs');
  const text = readFileSync(join(root, 'bench', 'nginx.conf'), 'utf8')
    .replaceAll('@FOLDER@', folder)
    .replaceAll('@FILES@', cacheFolder('files'))
    .replaceAll('@PORT@', String(port))
    .replaceAll('@ORIGIN@', String(originPort));
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, text);
  // Started by root it would give its rights away, and then could not read what this program made.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const nginx = await start(program, ['-c', config, '-p', folder, '-g', `daemon off; ${user}`], port);
  return {
    ...nginx,
    origin: `http://127.0.0.1:${originPort}`,
    cached: `http://127.0.0.1:${port}`,
    async stop() {
      await nginx.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
