import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../package.ts';

/** What a worker runs: its own program as a file, and the parsers as the text that its isolates evaluate. */
export type Programs = { readonly workerFile: string; readonly parsers: string };

const SOURCES = join(import.meta.dirname, '..');
/** What the two scripts are made of; the lockfile stands for the packages. */
const FOLDERS = ['bytes', 'formats', 'content', 'sandbox'];
const FILES = ['errors.ts'];
const WORKER = 'worker.cjs';
const PARSERS = 'parsers.js';

/**
 * The scripts of the sandbox: those that the published package brings in `prebuilt/`, or else bundled from the sources
 * and kept in `.cache/` under the digest of the sources, where no worker can write.
 */
export const loadPrograms = async (): Promise<Programs> => {
  const prebuilt = await readPrograms(join(import.meta.dirname, 'prebuilt'));
  if (prebuilt !== undefined) return prebuilt;
  const folder = join(packageRoot, '.cache', 'sandbox', await digestOfSources());
  const cached = await readPrograms(folder);
  if (cached !== undefined) return cached;
  const written = await writePrograms(folder).catch(async () =>
    // The checkout is read-only: a folder that only this user can write.
    writePrograms(await mkdtemp(join(tmpdir(), 'weighbridge-sandbox-'))),
  );
  return written;
};

/** Bundles both scripts from the sources into `folder`. The published package is built with this (`prebuilt/`). */
export const writePrograms = async (folder: string): Promise<Programs> => {
  const [parsers, worker] = await Promise.all([bundleParsers(), bundleWorker()]);
  // esbuild keeps a process of its own until it is told that nothing follows.
  await (await import('esbuild')).stop();
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeWhole(join(folder, PARSERS), parsers);
  await writeWhole(join(folder, WORKER), worker);
  return { workerFile: join(folder, WORKER), parsers };
};

/** The parsers as one script for a bare isolate: no platform, packages by their `browser` builds. */
export const bundleParsers = (): Promise<string> =>
  bundleFor('isolate', join(SOURCES, 'sandbox', 'isolate', 'main.ts'));

const bundleWorker = (): Promise<string> => bundleFor('process', join(SOURCES, 'sandbox', 'worker', 'main.ts'));

/** Bundles a file, or text that imports from here, for an isolate or for a worker process. */
export const bundleFor = async (where: 'isolate' | 'process', entry: string | { text: string }): Promise<string> => {
  const { build } = await import('esbuild');
  const result = await build({
    ...(typeof entry === 'string'
      ? { entryPoints: [entry] }
      : { stdin: { contents: entry.text, resolveDir: import.meta.dirname } }),
    bundle: true,
    write: false,
    platform: where === 'isolate' ? 'neutral' : 'node',
    format: where === 'isolate' ? 'iife' : 'cjs',
    target: 'es2024',
    legalComments: 'none',
    logLevel: 'silent',
    ...(where === 'isolate' ? { conditions: ['browser', 'import'], mainFields: ['browser', 'module', 'main'] } : {}),
  });
  return inAscii(result.outputFiles[0]?.text ?? '');
};

/** esbuild leaves regular expressions as they are; a script with one wide character takes twice the memory in every isolate. */
const inAscii = (script: string): string =>
  script.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const readPrograms = async (folder: string): Promise<Programs | undefined> => {
  const workerFile = join(folder, WORKER);
  try {
    const [parsers] = await Promise.all([readFile(join(folder, PARSERS), 'utf8'), readFile(workerFile)]);
    return { workerFile, parsers };
  } catch {
    return undefined;
  }
};

/** Another process may write the same file at the same time: whoever comes last wins with the same bytes. */
const writeWhole = async (path: string, text: string): Promise<void> => {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, text, { flag: 'wx', mode: 0o644 });
  await rename(temporary, path);
};

const digestOfSources = async (): Promise<string> => {
  const listed = await Promise.all(
    FOLDERS.map(async (folder) => {
      const names = await readdir(join(SOURCES, folder), { recursive: true });
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(SOURCES, folder, name));
    }),
  );
  const paths = [...listed.flat(), ...FILES.map((name) => join(SOURCES, name))].sort();
  const hash = createHash('sha256');
  for (const path of [...paths, join(packageRoot, 'package-lock.json')]) {
    const bytes = await readFile(path).catch(() => new Uint8Array(0));
    hash.update(`${path.slice(SOURCES.length)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex').slice(0, 32);
};
