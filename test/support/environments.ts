import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The clients that tests run against Weighbridge. */
export type PythonEnvironment = 'torch' | 'hub1' | 'hub2';
/** The same, what speaks the own API, the JavaScript clients, and Chromium. */
export type ClientEnvironment = PythonEnvironment | 'api' | 'js' | 'browser';

export const repository = join(import.meta.dirname, '../..');
export const cacheFolder = join(repository, '.cache');

/** What tests need of the system, as Debian calls it, and what for. */
export const systemPackages: Readonly<Record<string, string>> = {
  bubblewrap: 'the namespaces of the sandbox',
  curl: 'a client of the gateway',
  git: 'a client of the gateway',
  openssl: 'certificates for https on loopback',
  'python3-torch': 'real checkpoints, made and loaded by real torch',
  'python3-venv': 'the environments of the Python clients',
};

/** The files that pin an environment; its folder is named by their digest, so a changed pin is a new folder. */
const locks: Readonly<Record<ClientEnvironment, readonly string[]>> = {
  torch: ['test/clients/requirements-torch.txt'],
  hub1: ['test/clients/requirements-hub1.txt'],
  hub2: ['test/clients/requirements-hub2.txt'],
  api: ['test/clients/requirements-api.txt'],
  js: ['test/clients/js/package.json', 'test/clients/js/package-lock.json'],
  browser: ['test/clients/browser/package.json', 'test/clients/browser/package-lock.json'],
};

export const environments = [
  'hub1',
  'torch',
  'hub2',
  'api',
  'js',
  'browser',
] as const satisfies readonly ClientEnvironment[];

export const lockFiles = (name: ClientEnvironment): readonly string[] =>
  locks[name].map((file) => join(repository, file));

/** Where an environment lies. `ready` exists once it is complete. */
export const placeOf = (name: ClientEnvironment): { readonly folder: string; readonly ready: string } => {
  const hash = createHash('sha256');
  for (const file of lockFiles(name)) hash.update(readFileSync(file));
  const folder = join(cacheFolder, 'clients', `${name}-${hash.digest('hex').slice(0, 16)}`);
  return { folder, ready: join(folder, '.ready') };
};

/** The folder of a complete environment. Throws with the command that makes it otherwise. */
export const readyFolder = (name: ClientEnvironment): string => {
  const { folder, ready } = placeOf(name);
  if (!existsSync(ready))
    throw new Error(`the test client '${name}' is not installed: run node test/support/prepare.ts`);
  return folder;
};
