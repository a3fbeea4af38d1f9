import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSilent } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { dispatch } from '../../src/cli/dispatch.ts';
import { inTime } from '../../src/cli/doctor.ts';
import { openStore } from '../../src/store/store.ts';
import { runCommand } from '../support/command-io.ts';
import { root } from '../support/project.ts';

type Looked = { name: string; state: string; detail: string; remedy?: string };

/** An upstream that answers everything, with the date it is told. */
const upstream = async (date?: string): Promise<{ url: string; close: () => void }> => {
  const server = createServer((_request, response) => {
    if (date !== undefined) response.setHeader('date', date);
    response.end('well');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
};

const looked = async (
  t: { testdir: (tree: Record<string, string>) => string },
  settings: string,
): Promise<Map<string, Looked> & { code: number }> => {
  const folder = t.testdir({ 'weighbridge.yaml': settings, file: 'not a folder', 'broken.yaml': 'rules: [1' });
  const { code, stdout } = await runCommand(dispatch, [
    'doctor',
    '--json',
    '--config',
    join(folder, 'weighbridge.yaml'),
  ]);
  const checks = stdout
    .trim()
    .split('\n')
    .map((line): Looked => JSON.parse(line));
  return Object.assign(new Map(checks.map((check) => [check.name, check])), { code });
};

t.test('a host where all is in order', async (t) => {
  const { url, close } = await upstream();
  t.teardown(close);
  const checks = await looked(t, `data: data\nupstreams: { huggingface: { url: "${url}" } }\n`);
  for (const name of [
    'runtime',
    'settings',
    'sandbox',
    'wall: isolate',
    'wall: permission',
    'store',
    'policies',
    'upstream: huggingface',
    'clock',
  ]) {
    t.equal(checks.get(name)?.state, 'ok', `${name}: ${checks.get(name)?.detail}`);
  }
  for (const { state, remedy, name } of checks.values())
    t.equal(remedy === undefined, state === 'ok', `${name}: a remedy for what is not ok`);
  t.equal(checks.code, 0);
});

t.test('everything that is wrong is named with its remedy, and the exit code says so', async (t) => {
  const { url, close } = await upstream('Mon, 01 Jan 2001 00:00:00 GMT');
  t.teardown(close);
  const checks = await looked(
    t,
    `data: file/x\npolicies: broken.yaml\nupstreams:\n  huggingface: { url: "http://127.0.0.1:1" }\n  other: { url: "${url}" }\n`,
  );
  for (const name of ['store', 'policies', 'upstream: huggingface', 'clock']) {
    t.match(checks.get(name), { state: 'fail', remedy: /./ }, name);
  }
  t.equal(checks.get('upstream: other')?.state, 'ok');
  t.match(checks.get('clock')?.detail, 'from that of other');
  t.equal(checks.code, 1);
});

t.test('a running gateway holds the store, which is in order, and one that only observes is told', async (t) => {
  const { url, close } = await upstream();
  const data = mkdtempSync(join(tmpdir(), 'weighbridge-'));
  const store = await openStore({ data, limit: 1e9 });
  t.teardown(async () => {
    close();
    await store.close();
    rmSync(data, { recursive: true });
  });
  const settings = `data: "${data}"\nmode: observe\nupstreams: { huggingface: { url: "${url}" } }\n`;
  const checks = await looked(t, settings);
  t.match(checks.get('store'), { state: 'ok', detail: /in use by a running gateway/ });
  t.match(checks.get('policies'), { state: 'weak', detail: /^mode is observe/, remedy: /report observe/ });
});

t.test(
  'a data folder where none can be made, broken policies and an upstream that never answers are told in time',
  async (t) => {
    const silent = createSilent(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    t.teardown(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const settings = `data: /proc/nope/data\npolicies: broken.yaml\nupstreams: { huggingface: { url: "http://127.0.0.1:${port}" } }\n`;
    const before = performance.now();
    const checks = await looked(t, settings);
    t.ok(performance.now() - before < 15_000, 'within 15 s');
    t.match(checks.get('store'), { state: 'fail', detail: /ENOENT.*\/proc\/nope/, remedy: /writable/ });
    for (const name of ['policies', 'upstream: huggingface']) t.match(checks.get(name), { state: 'fail' }, name);
    t.equal(checks.code, 1);
  },
);

t.test('a check that never ends is told after its time, and the others are made', async (t) => {
  const [check] = await inTime('store', () => new Promise(() => undefined), 20);
  t.match(check, { name: 'store', state: 'fail', detail: 'no result within 0.02 s', remedy: /./ });
  const [failed] = await inTime('store', () => Promise.reject(new Error('broken')), 20_000);
  t.match(failed, { name: 'store', state: 'fail', detail: 'broken' });
  t.same(await inTime('store', async () => [], 20_000), []);
});

t.test('wrong settings end the look, with their place', async (t) => {
  const checks = await looked(t, 'prt: 1\n');
  t.match(checks.get('settings'), { state: 'fail', detail: /weighbridge\.yaml:1:6: prt: no setting has this name/ });
  t.equal(checks.code, 1);
});

t.test('what a person reads has one line a check, and a remedy below what is wrong', async (t) => {
  const folder = t.testdir({ 'weighbridge.yaml': 'port: x\n' });
  const { code, stdout } = await runCommand(dispatch, ['doctor', '--config', join(folder, 'weighbridge.yaml')]);
  t.match(stdout, /^ok {4}runtime .*\nFAIL {2}settings .*:1:7: port: .*\n {6}-> docs\/configuration\.md/);
  t.equal(code, 1);
});

t.test('the command line explains itself', async (t) => {
  const help = await runCommand(dispatch, ['--help']);
  t.equal(help.code, 0);
  for (const name of ['serve', 'doctor']) t.match(help.stdout, new RegExp(`^  ${name} +\\w`, 'm'));
  t.same(await runCommand(dispatch, []), help, 'also when nothing is asked');
  for (const name of ['serve', 'doctor']) {
    t.match(await runCommand(dispatch, [name, '--help']), {
      code: 0,
      stdout: new RegExp(`^usage: weighbridge ${name} `),
    });
  }
  t.match(await runCommand(dispatch, ['--version']), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
  for (const name of ['scna', '__proto__', 'constructor', '']) {
    t.match(
      await runCommand(dispatch, [name]),
      { code: 2, stderr: /there is no command '.*'\. Commands: serve, / },
      name,
    );
  }
  const wrong = await runCommand(dispatch, ['serve', '--prt', '1']);
  t.match(wrong, { code: 2, stderr: /^weighbridge serve: Unknown option '--prt'/ });
  t.notMatch(wrong.stderr, root, 'without a stack');
  t.match(await runCommand(dispatch, ['serve', '--host', '0.0.0.0']), {
    code: 2,
    stderr: /auth\.tokens.*\[CONFIG_INVALID\]/,
  });
});
