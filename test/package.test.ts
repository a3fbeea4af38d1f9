import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { root, textOf } from './support/project.ts';

const run = promisify(execFile);
const manifest = JSON.parse(textOf('package.json'));
const lock = JSON.parse(textOf('package-lock.json'));
const dockerfile = textOf('Dockerfile');
const groups = ['dependencies', 'optionalDependencies', 'devDependencies'] as const;
const names = groups.flatMap((group) => Object.keys(manifest[group]));

/** The path without the carried Node: what a user's shell has. */
const systemPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules'))
  .join(delimiter);

t.test('versions are exact, and the lockfile agrees and names no host', async (t) => {
  for (const group of groups) {
    for (const [name, version] of Object.entries<string>(manifest[group])) {
      t.match(version, /^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/, `${name} ${version}`);
      t.equal(lock.packages[`node_modules/${name}`]?.version, version, `${name} as locked`);
    }
  }
  t.notMatch(textOf('package-lock.json'), /"resolved": "https?:/);
});

t.test('the lockfile has every platform, or npm ci would refuse it', async (t) => {
  type Locked = { optionalDependencies?: Record<string, string> };
  const wanted = Object.values<Locked>(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
  t.ok(wanted.length > 50, `${wanted.length} optional packages`);
  const missing = wanted.filter((name) => lock.packages[`node_modules/${name}`] === undefined);
  t.same(missing, [], 'otherwise: node .ci/complete-lock.mjs');
});

t.test('the package says what it is, and runs nothing when it is installed', async (t) => {
  t.match(manifest, { name: 'weighbridge', license: 'Apache-2.0', type: 'module', engines: { node: '>=20' } });
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) t.notOk(script in manifest.scripts, script);
  t.match(textOf('LICENSE'), /Apache License\s+Version 2\.0/);
  for (const file of manifest.files) if (file !== 'build') t.ok(existsSync(join(root, file)), `${file} is there`);
});

t.test('no dependency needs an install script', async (t) => {
  type Locked = { hasInstallScript?: boolean; dev?: boolean; version: string };
  const scripted = Object.entries<Locked>(lock.packages).filter(([, entry]) => entry.hasInstallScript && !entry.dev);
  const decided = scripted.map(([path, entry]) => `${path.split('node_modules/').at(-1)}@${entry.version}`);
  t.same(
    decided.filter((name) => manifest.allowScripts[name] !== false),
    [],
  );
});

t.test('every dependency has its line in docs/dependencies.md, and every line its dependency', async (t) => {
  const rows = textOf('docs/dependencies.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const documented = rows.map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  t.same(documented.map(([, name]) => name).sort(), [...names].sort());
  for (const [, name = '', licence] of documented) {
    const installed = join('node_modules', name, 'package.json');
    if (existsSync(join(root, installed))) t.equal(licence, JSON.parse(textOf(installed)).license, name);
    t.ok(existsSync(join(root, installed)) || name in manifest.optionalDependencies, `${name} is installed`);
  }
});

t.test('the image has the Node that the package carries, runs without root, and copies what exists', async (t) => {
  const bases = [...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => major);
  const carried = Object.values<string>(manifest.optionalDependencies).map((version) => version.split('.')[0]);
  t.equal(new Set([...bases, ...carried, process.versions.node.split('.')[0]]).size, 1);
  t.equal(bases.length, 2);
  const [final = ''] = dockerfile.split(/^FROM /m).slice(-1);
  t.match(final, /^USER node$/m);
  t.match(final, /^HEALTHCHECK /m);
  const copied = [...dockerfile.matchAll(/^COPY (?!--)(.*) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
  t.ok(copied.length >= 6);
  const admitted = textOf('.dockerignore').split('\n');
  for (const path of copied) {
    t.ok(existsSync(join(root, path)), `${path} exists`);
    t.ok(admitted.includes(`!${path}`), `${path} is in the build context`);
  }
});

t.test(
  'what the image runs when it is built leaves a program that inspects, and no Node',
  { timeout: 240_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'weighbridge-image-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const [, build = ''] = dockerfile.split(/^FROM .*$/m);
    const env = {
      PATH: `${dirname(process.execPath)}:${systemPath}`,
      HOME: process.env['HOME'],
      npm_config_prefer_offline: 'true',
    };
    let [copied, ran] = [0, 0];
    for (const line of build.split('\n')) {
      const [, paths, to = ''] = /^COPY (.*) (\S+)$/.exec(line) ?? [];
      for (const path of paths?.split(' ') ?? []) {
        cpSync(join(root, path), join(folder, to, to === './' ? path : ''), { recursive: true });
        copied += 1;
      }
      const [, command] = /^RUN (.*)$/.exec(line) ?? [];
      if (command === undefined) continue;
      await run('sh', ['-c', command], { cwd: folder, env, timeout: 200_000 });
      ran += 1;
    }
    t.ok(copied >= 6 && ran >= 3, `${copied} copies, ${ran} commands`);
    const installed = readdirSync(join(folder, 'node_modules'));
    for (const name of Object.keys(manifest.optionalDependencies))
      t.notOk(installed.includes(name), `${name} is left out`);
    writeFileSync(join(folder, 'note.txt'), 'nothing to see\n');
    const program = ['--no-node-snapshot', join(folder, 'bin', 'weighbridge.mjs'), 'scan', '--json', 'note.txt'];
    const options = { cwd: folder, env: { PATH: systemPath, TMPDIR: folder }, timeout: 60_000 };
    const scanned = await run(process.execPath, program, options).catch((error) => error);
    t.match(JSON.parse(scanned.stdout), { path: 'note.txt', size: 15, format: 'text', action: 'allow' });
  },
);

t.test('a checkout starts on an older Node, which hands over arguments, exit code and signals', async (t) => {
  const launcher = join(root, 'bin', 'weighbridge.mjs');
  const options = { env: { PATH: systemPath }, timeout: 60_000 };
  const system = (await run('node', ['--version'], options)).stdout.trim();
  t.comment(`system node ${system}`);
  t.equal((await run('node', [launcher, '--version'], options)).stdout, `${manifest.version}\n`);
  await t.rejects(run('node', [launcher, 'no-such-command'], options), {
    code: 2,
    stderr: /no command 'no-such-command'/,
  });

  const data = mkdtempSync(join(tmpdir(), 'weighbridge-start-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const child = spawn('node', [launcher, 'serve', '--port', '0', '--data', data], { ...options, cwd: data });
  const ended = once(child, 'exit');
  const url = await greeted(child.stdout.iterator({ destroyOnReturn: false }), /http:\/\/127\.0\.0\.1:\d+/);
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  child.kill('SIGTERM');
  t.same(await ended, [0, null], 'a signal reaches the program, which ends in order');
  await t.rejects(fetch(`${url}/healthz`), 'nobody is left listening');

  const bare = join(data, 'weighbridge.mjs');
  copyFileSync(launcher, bare);
  if (Number.parseInt(system.slice(1), 10) >= 24) return;
  await t.rejects(run('node', [bare], options), { code: 2, stderr: /needs Node 24 or later and this is v/ });
});

t.test('npm start ends with its npm', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'weighbridge-start-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const args = ['start', '--', '--port', '0', '--data', data];
  const npm = spawn('npm', args, { cwd: root, env: { PATH: systemPath, HOME: data }, timeout: 60_000 });
  const url = await greeted(npm.stdout.iterator({ destroyOnReturn: false }), /http:\/\/127\.0\.0\.1:\d+/);
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  npm.kill('SIGTERM');
  const end = Date.now() + 10_000;
  const listens = (): Promise<boolean> =>
    fetch(`${url}/healthz`).then(
      () => true,
      () => false,
    );
  while ((await listens()) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(await listens(), false, 'nobody is left listening');
});

/** Reads until the greeting that names the address. */
const greeted = async (output: AsyncIterable<Buffer>, pattern: RegExp): Promise<string> => {
  let seen = '';
  for await (const chunk of output) {
    seen += chunk.toString();
    const [url] = pattern.exec(seen) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`no greeting: ${seen}`);
};

t.test('the packed program installs and runs where types are not stripped', { timeout: 240_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-package-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  // tap puts a loader into NODE_OPTIONS of every child, and the compiler does not start under it.
  const pack = ['-u', 'NODE_OPTIONS', 'npm', 'pack', '--json', '--pack-destination', folder];
  const packed = await run('env', pack, { cwd: root, timeout: 120_000 });
  const [{ filename, files }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('[')));
  const paths = files.map((file: { path: string }) => file.path);
  t.ok(paths.includes('build/src/main.js') && paths.includes('policies/default.yaml'));
  t.same(
    paths.filter((path: string) => /^(src|test|bench|\.ci)\//.test(path)),
    [],
    'no sources, no tests',
  );

  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', `./${filename}`];
  await run('env', ['-u', 'NODE_OPTIONS', 'npm', ...install], { cwd: folder, timeout: 200_000 });
  const options = { cwd: folder, env: { PATH: systemPath, HOME: folder }, timeout: 60_000 };
  const command = join(folder, 'node_modules', '.bin', 'weighbridge');
  t.equal((await run(command, ['--version'], options)).stdout, `${manifest.version}\n`);

  writeFileSync(join(folder, 'note.txt'), 'nothing to see\n');
  const scanned = await run(command, ['scan', '--json', 'note.txt'], options).catch((error) => error);
  t.match(JSON.parse(scanned.stdout), { path: 'note.txt', size: 15, coverage: /./, action: /./ });
  t.match(await run(command, ['policy', 'check'], options), { stdout: /valid/ });
  t.same(
    readdirSync(folder).filter((name) => name === 'data'),
    [],
    'a scan leaves nothing behind',
  );
});
