import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { scan } from '../../src/cli/scan.ts';
import { loadConfig } from '../../src/config.ts';
import { isFault } from '../../src/errors.ts';
import { readKnownBad, watchKnownBad } from '../../src/gateway/known-bad.ts';
import { serve } from '../../src/serve.ts';
import { torchZip } from '../support/checkpoints.ts';
import { runCommand } from '../support/command-io.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { startWorld } from '../support/world.ts';

const admin = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString();
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const listOf = (digests: readonly string[], issued = '2026-01-01T00:00:00Z'): string =>
  JSON.stringify({
    issued,
    digests: digests.map((digest) => ({ sha256: digest, name: 'bad model', source: 'feed 7' })),
  });

type Written = { readonly text: string; readonly key?: KeyObject; readonly signature?: Uint8Array };

/** Writes list and signature as an admin does: aside, then in place. */
const write = (
  folder: string,
  { text, key = admin.privateKey, signature = sign(null, Buffer.from(text), key) }: Written,
) => {
  const list = join(folder, 'list.json');
  for (const [path, bytes] of [
    [list, text],
    [`${list}.sig`, signature],
  ] as const) {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }
  return { list, key: pem(admin.publicKey) };
};

const until = async (condition: () => boolean): Promise<void> => {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('did not happen within 10 s');
    await sleep(5);
  }
};

const bad = sha256(Buffer.from('bad'));

t.test('a list is taken only when the key has signed its bytes and every line of it is understood', async (t) => {
  const folder = t.testdir({});
  const good = listOf([bad]);
  const raw = sign(null, Buffer.from(good), admin.privateKey);
  const wrong: Readonly<Record<string, Written>> = {
    'signed by somebody else': { text: good, key: stranger.privateKey },
    'signed for other bytes': { text: `${good} `, signature: raw },
    'no signature': { text: good, signature: new Uint8Array() },
    'a cut signature': { text: good, signature: raw.subarray(0, 63) },
    'no base64': { text: good, signature: Buffer.from(`${raw.toString('base64')}!`) },
    'no JSON': { text: 'digests' },
    'not UTF-8': { text: '{"issued": \udcff' },
    'no time': { text: listOf([bad], 'yesterday') },
    'upper case': { text: listOf([bad.toUpperCase()]) },
    'no digest': { text: listOf(['bad']) },
    'an unknown key': { text: good.replace('"issued"', '"more":1,"issued"') },
  };
  for (const [name, written] of Object.entries(wrong)) {
    await t.rejects(readKnownBad(write(folder, written)), { code: 'POLICY_INVALID' }, name);
  }
  const settings = write(folder, { text: good });
  t.same((await readKnownBad(settings)).entries.get(bad), { name: 'bad model', source: 'feed 7' });
  await t.resolves(readKnownBad(write(folder, { text: good, signature: Buffer.from(`${raw.toString('base64')}\n`) })));
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const key of [pem(rsa.publicKey), 'no key', '']) {
    await t.rejects(readKnownBad({ ...settings, key }), { code: 'POLICY_INVALID' });
  }
  await t.rejects(readKnownBad({ ...settings, list: join(folder, 'none') }), { code: 'POLICY_INVALID' });
});

t.test(
  'a change is followed; one that is broken, unsigned or older keeps the last good list and is told',
  async (t) => {
    const folder = t.testdir({});
    const told: string[] = [];
    const settings = write(folder, { text: listOf([bad]) });
    const watcher = await watchKnownBad(
      settings,
      { loaded: ({ entries }) => told.push(`${entries.size}`), rejected: ({ message }) => told.push(message) },
      { pollMs: 10 },
    );
    t.teardown(() => watcher.close());
    const other = sha256(Buffer.from('other'));
    const rejected: readonly Written[] = [
      { text: listOf([]), key: stranger.privateKey },
      { text: '{}' },
      { text: listOf([], '2025-12-31T00:00:00Z') },
    ];
    for (const [index, written] of rejected.entries()) {
      write(folder, written);
      await until(() => told.length === index + 2);
      t.ok(watcher.lookup(bad), 'the last good list');
      t.ok(isFault(watcher.fault(), 'POLICY_INVALID'));
    }
    t.match(told.at(-1), 'issued before the one in force');
    write(folder, { text: listOf([other], '2026-02-01T00:00:00Z') });
    await until(() => watcher.lookup(other) !== undefined);
    t.equal(watcher.lookup(bad), undefined);
    t.equal(watcher.fault(), undefined);
  },
);

const tensors = (value: number): Uint8Array =>
  safetensors({ w: { dtype: 'F32', shape: [2, 2], data: float32(1, 2, 3, value) } });

t.test('listed files are refused, converted from or not, and a new list counts at once', async (t) => {
  const folder = t.testdir({});
  const [mine, yours] = [tensors(4), tensors(5)];
  const checkpoint = torchZip({ w: { storage: 'FloatStorage', shape: [2], data: float32(1, 2) } });
  const { key } = write(folder, { text: listOf([sha256(mine), sha256(checkpoint)]) });
  writeFileSync(join(folder, 'key.pem'), key);
  const settings = { KNOWN_BAD_LIST: join(folder, 'list.json'), KNOWN_BAD_KEY: join(folder, 'key.pem') };
  const repos = [
    { name: 'acme/a', files: { 'mine.safetensors': mine, 'yours.safetensors': yours }, lfs: ['mine*'] },
    { name: 'acme/b', files: { 'pytorch_model.bin': checkpoint } },
  ];
  const world = await startWorld(t, repos, { settings });
  const decision = async (path: string): Promise<string> => {
    const answer = await world.fetch(path);
    await answer.arrayBuffer();
    return `${answer.status} ${answer.headers.get('x-weighbridge-decision')}`;
  };
  t.match(await decision('acme/a/resolve/main/mine.safetensors'), /^403 deny; rule=default\/dangerous/);
  t.match(await decision('acme/a/resolve/main/yours.safetensors'), /^200 allow/);
  t.match(await decision('acme/b/resolve/main/model.safetensors'), /^403 deny/);
  t.match(await decision('acme/b/resolve/main/pytorch_model.bin'), /^403 deny/);

  write(folder, { text: listOf([sha256(yours)], '2026-02-01T00:00:00Z') });
  const end = Date.now() + 10_000;
  const path = 'acme/a/resolve/main/yours.safetensors';
  while (!(await decision(path)).startsWith('403') && Date.now() < end) await sleep(100);
  t.match(await decision(path), /^403 deny; rule=default\/dangerous/, 'also what is in the store');
  t.match(await decision('acme/a/resolve/main/mine.safetensors'), /^200 allow/);
  t.match(await decision('acme/b/resolve/main/model.safetensors'), /^200 /);
  const entries = await world.entries();
  t.same(
    entries.filter(({ kind }) => kind.startsWith('knownbad.')).map(({ kind, detail }) => [kind, detail.digests]),
    [
      ['knownbad.loaded', 2],
      ['knownbad.loaded', 1],
    ],
  );
  const form = new FormData();
  form.append('file', new Blob([Buffer.from(yours)]), 'any.name');
  const uploaded = await (await fetch(`${world.url}/api/v1/scan`, { method: 'POST', body: form })).json();
  t.match(uploaded, {
    files: [{ decision: { action: 'deny' }, report: { findings: [{ rule: 'known-bad.digest' }] } }],
  });
  const ready = JSON.parse(await (await fetch(`${world.url}/readyz`)).text());
  t.match(
    ready.facts.find(({ name }: { name: string }) => name === 'known-bad list'),
    { ok: true, detail: /^1 digests/ },
  );
});

t.test('a gateway does not start without a list that is configured but cannot be trusted', async (t) => {
  const folder = t.testdir({});
  const { key } = write(folder, { text: listOf([bad]), key: stranger.privateKey });
  writeFileSync(join(folder, 'key.pem'), key);
  const env = {
    WEIGHBRIDGE_DATA: join(folder, 'data'),
    WEIGHBRIDGE_PORT: '0',
    WEIGHBRIDGE_KNOWN_BAD_LIST: join(folder, 'list.json'),
    WEIGHBRIDGE_KNOWN_BAD_KEY: join(folder, 'key.pem'),
  };
  await t.rejects(serve(loadConfig({ env })), { code: 'POLICY_INVALID', message: /signature/ });
});

t.test('scan reads the same list', async (t) => {
  const folder = t.testdir({});
  const { key } = write(folder, { text: listOf([sha256(tensors(4))]) });
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'a.safetensors'), tensors(4));
  writeFileSync(join(folder, 'b.safetensors'), tensors(5));
  const variables = {
    WEIGHBRIDGE_KNOWN_BAD_LIST: join(folder, 'list.json'),
    WEIGHBRIDGE_KNOWN_BAD_KEY: join(folder, 'key.pem'),
  };
  Object.assign(process.env, variables);
  t.teardown(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
  const args = ['--json', join(folder, 'a.safetensors'), join(folder, 'b.safetensors')];
  const { code, stdout } = await runCommand(scan.run, args);
  const [listed, other] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(code, 1);
  t.match(listed, {
    action: 'deny',
    findings: [{ rule: 'known-bad.digest', severity: 'critical', evidence: 'feed 7' }],
  });
  t.match(other, { action: 'allow', findings: [] });
  write(folder, { text: listOf([]), key: stranger.privateKey });
  await t.rejects(runCommand(scan.run, args), { code: 'POLICY_INVALID' });
});
