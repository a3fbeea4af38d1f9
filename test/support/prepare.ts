import { execFile } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompressSync } from 'node:zlib';
import {
  type ClientEnvironment,
  cacheFolder,
  environments,
  lockFiles,
  placeOf,
  systemPackages,
} from './environments.ts';

/**
 * Installs what the tests need beside npm packages: system packages and the real clients. Does nothing when all of it is
 * there, and fails with the command to run when it cannot: a test that lacks its client must not look like a pass.
 */
const INSTALL_MS = 10 * 60_000;
const OUTPUT_BYTES = 16 * 1024 * 1024;
/** Installs at a time: each keeps about one core busy. */
const AT_ONCE = 2;
const PYTHON = '/usr/bin/python3';

const execute = promisify(execFile);

const prepare = async (): Promise<void> => {
  const start = Date.now();
  await installSystemPackages();
  const missing = environments.filter((name) => !existsSync(placeOf(name).ready));
  if (missing.length > 0) await withLock(() => installAll(missing));
  if (missing.length > 0) say(`ready after ${Math.round((Date.now() - start) / 1000)} s`);
};

const say = (text: string): void => {
  process.stderr.write(`test clients: ${text}\n`);
};

const run = async (command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
  try {
    const options = { timeout: INSTALL_MS, maxBuffer: OUTPUT_BYTES, env: { ...process.env, ...env } };
    return (await execute(command, [...args], options)).stdout;
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).slice(-4000) : '';
    throw new Error(`${[command, ...args].join(' ')} failed: ${output || String(error)}`);
  }
};

const installSystemPackages = async (): Promise<void> => {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  const wanted = missing.map((name) => `${name} (${systemPackages[name]})`).join(', ');
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`tests need ${wanted}. Run as root: ${command}`);
  }
  say(`installing ${missing.join(', ')}`);
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-q'], quiet);
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], quiet);
  const still = await missingPackages();
  if (still.length > 0)
    throw new Error(`tests need ${wanted}, and installing did not bring it. Run as root: ${command}`);
};

const missingPackages = async (): Promise<string[]> => {
  const names = Object.keys(systemPackages);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's
  const format = '-f=${Package} ${db:Status-Status}\n';
  // dpkg-query fails when one package is unknown to it, and prints the others all the same.
  const { stdout } = await execute('dpkg-query', ['-W', format, ...names]).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? '',
  }));
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
};

const installAll = async (names: readonly ClientEnvironment[]): Promise<void> => {
  const waiting = names.filter((name) => !existsSync(placeOf(name).ready));
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await install(name);
  };
  const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  if (failed.length > 0) throw new Error(failed.join('\n'));
};

const install = async (name: ClientEnvironment): Promise<void> => {
  const { folder, ready } = placeOf(name);
  const clients = dirname(folder);
  // What an interrupted install or an older lock file left.
  for (const entry of readdirSync(clients)) {
    if (entry.startsWith(`${name}-`)) rmSync(join(clients, entry), { recursive: true, force: true });
  }
  const start = Date.now();
  if (name === 'js' || name === 'browser') await installJs(name, folder);
  else await installPython(name, folder);
  writeFileSync(ready, '');
  say(`${name} installed in ${Math.round((Date.now() - start) / 1000)} s`);
};

const installPython = async (name: ClientEnvironment, folder: string): Promise<void> => {
  const system = name === 'torch' ? ['--system-site-packages'] : [];
  await run(PYTHON, ['-m', 'venv', ...system, folder]);
  const requirements = lockFiles(name).flatMap((file) => ['-r', file]);
  const quiet = ['-q', '--no-input', '--disable-pip-version-check', '--only-binary', ':all:'];
  await run(join(folder, 'bin/python'), ['-m', 'pip', 'install', ...quiet, ...requirements]);
};

/** Install scripts stay off: the native parts of these packages come inside their tarballs. */
const installJs = async (name: 'js' | 'browser', folder: string): Promise<void> => {
  mkdirSync(folder, { recursive: true });
  for (const file of lockFiles(name)) copyFileSync(file, join(folder, basename(file)));
  await run('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']);
  if (name === 'browser') await unpackBrowser(folder);
};

/** The package has Chromium, the libraries and the fonts that it needs compressed, for machines that have none. */
const unpackBrowser = async (folder: string): Promise<void> => {
  const packed = join(folder, 'node_modules/@sparticuz/chromium/bin');
  const inflate = (file: string): Buffer => brotliDecompressSync(readFileSync(join(packed, `${file}.br`)));
  writeFileSync(join(folder, 'chromium'), inflate('chromium'), { mode: 0o755 });
  for (const name of ['al2023.tar', 'fonts.tar']) {
    const archive = join(folder, name);
    writeFileSync(archive, inflate(name));
    await run('tar', ['-x', '-f', archive, '-C', folder]);
    rmSync(archive);
  }
  // The one that comes along names folders of another machine.
  const places = `<dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir>`;
  writeFileSync(join(folder, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${places}</fontconfig>`);
};

/** One preparation at a time; a second one waits and then finds everything done. */
const withLock = async (work: () => Promise<void>): Promise<void> => {
  mkdirSync(join(cacheFolder, 'clients'), { recursive: true });
  const lock = join(cacheFolder, 'clients', '.lock');
  const end = Date.now() + INSTALL_MS;
  while (!take(lock)) {
    if (Date.now() > end) throw new Error(`another preparation holds ${lock} for too long: end it or remove the file`);
    await sleep(500);
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
};

const take = (lock: string): boolean => {
  try {
    const file = openSync(lock, 'wx');
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch {
    if (!ownerLives(lock)) rmSync(lock, { force: true });
    return false;
  }
};

const ownerLives = (lock: string): boolean => {
  try {
    const owner = Number(readFileSync(lock, 'utf8'));
    // A lock without a number yet is being written.
    if (owner > 0) process.kill(owner, 0);
    return true;
  } catch {
    return false;
  }
};

try {
  await prepare();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
