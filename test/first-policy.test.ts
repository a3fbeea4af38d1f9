import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runProgram } from './support/clients.ts';
import { readyFolder } from './support/environments.ts';
import { startHub } from './support/hub.ts';
import { root, textOf } from './support/project.ts';
import { float32, safetensors } from './support/safetensors-writer.ts';

const page = textOf('docs/first-policy.md');
const blocks = (kind: string): readonly string[] =>
  [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)].flatMap(([, name, text = '']) => (name === kind ? [text] : []));
/** What a person types, without what is written into files. */
const commandsOf = (block: string): readonly string[] =>
  block
    .replaceAll(/<<'END'\n[\s\S]*?\nEND\n/g, '\n')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line !== '');
/** For the whole page on a busy machine, ms. */
const PATIENCE = 120_000;
/** What a clone has that a program needs to run. */
const CLONED = ['bin', 'src', 'policies', 'package.json', 'package-lock.json'];

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

/** A shell in a folder that has nothing but what the page makes there. */
const openShell = async (t: Test, empty: string) => {
  const weights = (value: number) => ({
    'model.safetensors': safetensors({ w: { dtype: 'F32', shape: [2], data: float32(value, 2) } }),
  });
  const repos = ['openai', 'someone'].map((owner, at) => ({ name: `${owner}/whisper-tiny`, files: weights(at) }));
  const hub = await startHub({ repos });
  t.teardown(() => hub.close());
  const port = await freePort();
  const env = {
    PATH: `${join(readyFolder('hub2'), 'bin')}:${process.env['PATH']}`,
    HOME: empty,
    WEIGHBRIDGE_PORT: String(port),
    WEIGHBRIDGE_DRAIN: '2s',
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url,
    WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true',
    WEIGHBRIDGE_SANDBOX_WORKERS: '1',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  const typed = (text: string): string => `set -e\n${text.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)}`;
  const clone = join(empty, 'weighbridge');
  return {
    clone,
    run: (text: string, directory = clone) =>
      runProgram('sh', ['-c', typed(text)], { directory, env, timeout: PATIENCE }),
    serve: (text: string) => greeted(t, spawn('sh', ['-c', typed(text)], { cwd: clone, env, detached: true })),
  };
};

/** Resolves when the gateway has said where it listens; what was started ends with the test. */
const greeted = (t: Test, child: ChildProcess): Promise<void> => {
  t.teardown(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.pid !== undefined && child.exitCode === null) {
      process.kill(-child.pid, 'SIGTERM');
      await ended;
    }
  });
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`no greeting: ${said}`)), PATIENCE);
    const hear = (chunk: unknown): void => {
      said += String(chunk);
      if (!said.includes('HF_ENDPOINT')) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
};

t.test('the page of the first policy does what it says, command by command', async (t) => {
  const sh = blocks('sh');
  t.equal(sh.flatMap(commandsOf).length, 12, 'in twelve commands');
  const [clone = '', policies = '', serve = '', download = ''] = sh;
  const empty = mkdtempSync(join(tmpdir(), 'weighbridge-first-'));
  t.teardown(() => rmSync(empty, { recursive: true, force: true, maxRetries: 5 }));
  const shell = await openShell(t, empty);

  t.same(commandsOf(clone).slice(1), ['cd weighbridge', 'npm ci']);
  // In the place of a clone from elsewhere and of packages from a registry: this work tree and what is installed in it.
  for (const name of CLONED) cpSync(join(root, name), join(shell.clone, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(shell.clone, 'node_modules'));

  const tested = await shell.run(policies);
  t.equal(tested.code, 0, tested.stdout + tested.stderr);
  t.match(tested.stdout, /speech\/publisher/);
  await shell.serve(serve);
  const passed = await shell.run(download);
  t.equal(passed.code, 0, passed.stderr);
  const [asked = '', request = '', approve = '', again = ''] = blocks('console').flatMap((block) =>
    [...block.replaceAll('\\\n', '').matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command),
  );
  const held = await shell.run(asked);
  t.not(held.code, 0);
  const text = held.stderr.replaceAll(/\s+/g, ' ');
  const shown = /^Weighbridge holds .*$/m.exec(page)?.[0] ?? 'nothing';
  t.ok(text.includes(shown), `${shown}\n${text}`);
  const [, id = ''] = /quarantine request ([0-9a-f-]{36})/.exec(text) ?? [];
  const wanted = await shell.run(request.replace('4c2f...', id));
  t.match(wanted.stdout, /^w-[0-9a-f]{12} {2}requested, 0 of 1 approved/, wanted.stderr);
  const [release = ''] = wanted.stdout.split(' ');
  const approved = await shell.run(approve.replace(/w-[0-9a-f]+/, release));
  t.match(approved.stdout, / {2}active until /, approved.stderr);
  const had = await shell.run(again);
  t.equal(had.code, 0, had.stderr);
  t.match(had.stdout.trim(), /someone.*model\.safetensors$/);
});
