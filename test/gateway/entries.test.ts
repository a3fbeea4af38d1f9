import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { systemCall, type TorchTensor, torchZip } from '../support/checkpoints.ts';
import type { HubRepo } from '../support/hub.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { type LogEntry, startWorld, type World } from '../support/world.ts';

const MIB = 1024 * 1024;
const shipped = join(import.meta.dirname, '..', '..', 'policies', 'default.yaml');
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

const weights = (bytes: number): Uint8Array => {
  const data = new Uint8Array(bytes).map((_, at) => (at * 7) >> 3);
  return safetensors({ weight: { dtype: 'U8', shape: [bytes], data } }, { metadata: { format: 'pt' } });
};
const tensor = (elements: number): TorchTensor => ({
  storage: 'FloatStorage',
  shape: [elements],
  data: new Uint8Array(Float32Array.from({ length: elements }, (_, index) => index).buffer),
});
const repo = (files: HubRepo['files']): HubRepo => ({ name: 'acme/tiny', files });
const path = (file: string): string => `acme/tiny/resolve/main/${file}`;
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

const entriesOf = async (world: World, file: string): Promise<readonly LogEntry[]> => {
  await sleep(60);
  return (await world.entries()).filter(({ artefact }) => artefact?.path === file);
};

/** A gateway whose policies the test can change. */
const withPolicies = async (t: Test, files: HubRepo['files']): Promise<{ world: World; forbid(): Promise<void> }> => {
  const policies = t.testdir({});
  await copyFile(shipped, join(policies, 'default.yaml'));
  const world = await startWorld(t, [repo(files)], {
    settings: { POLICIES: policies },
    timings: { keepAlive: 100 },
  });
  const forbid = async (): Promise<void> => {
    await writeFile(
      join(policies, 'forbid.yaml'),
      `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: forbid, title: Nothing large }
rules:
  - { id: weights, when: artefact.size > 1000, action: deny, message: nothing large is served today, remediation: Come again }
`,
    );
    await sleep(TAKEN);
  };
  return { world, forbid };
};

t.test('what a client does not take after all has its outcome in the log as well', async (t) => {
  const world = await startWorld(t, [repo({ 'model.safetensors': weights(5000) })]);
  const first = await world.fetch(path('model.safetensors'));
  const etag = first.headers.get('etag') ?? '';
  await bytesOf(first);
  const before = (await entriesOf(world, 'model.safetensors')).length;
  for (const tag of [etag, `W/${etag}`, '*']) {
    const same = await world.fetch(path('model.safetensors'), { headers: { 'if-none-match': tag } });
    t.equal(same.status, 304, tag);
  }
  const other = await world.fetch(path('model.safetensors'), {
    headers: { range: 'bytes=5-', 'if-range': '"another"' },
  });
  t.equal(other.status, 200);
  await bytesOf(other);
  const entries = (await entriesOf(world, 'model.safetensors')).slice(before);
  const count = (kind: string): number => entries.filter((entry) => entry['kind'] === kind).length;
  t.equal(count('artefact.decision'), 5);
  t.equal(count('artefact.outcome'), 5, 'each decision of a GET has an outcome');
  t.match(
    entries.filter(({ kind }) => kind === 'artefact.outcome').map(({ served }) => [served.bytes, served.complete]),
    [
      [0, false],
      [0, false],
      [0, false],
      [0, false],
      [5112, true],
    ].map(([bytes, complete]) => [bytes === 0 ? 0 : Number, complete]),
  );
});

t.test('a download that fails before it begins is in the log, with the fault', async (t) => {
  const world = await startWorld(t, [
    repo({ 'a.safetensors': weights(5000), 'b.safetensors': weights(6000), 'c.safetensors': weights(7000) }),
  ]);
  world.hub.fail({ kind: 'flip', at: 500, where: 'cdn' });
  const lie = await world.fetch(path('a.safetensors'));
  t.equal(lie.status, 403, 'a lie of upstream is told as a refusal to Hub clients');
  t.match(await entriesOf(world, 'a.safetensors'), [
    {
      kind: 'artefact.outcome',
      request: { id: lie.headers.get('x-request-id') },
      served: { bytes: 0, complete: false, release: 'none' },
      detail: { fault: 'UPSTREAM_MISMATCH' },
    },
  ]);
  world.hub.heal();
  const outside = await world.fetch(path('b.safetensors'), { headers: { range: 'bytes=9999999-' } });
  t.equal(outside.status, 416);
  t.match((await entriesOf(world, 'b.safetensors')).at(-1), { served: { status: 416, complete: false } });
  world.hub.fail({ kind: 'status', status: 403, where: 'hub', method: 'GET', match: /resolve.*c\.safe/ });
  t.equal((await world.fetch(path('c.safetensors'))).status, 502);
  t.match((await entriesOf(world, 'c.safetensors')).at(-1), { detail: { fault: 'UPSTREAM_REFUSED' } });
});

t.test('a repo refused as a whole leaves the rule in the log', async (t) => {
  const evil = torchZip({ a: tensor(9) }, systemCall());
  const world = await startWorld(t, [repo({ 'config.json': '{"model_type":"bert"}', 'pytorch_model.bin': evil })]);
  const refused = await world.fetch(path('config.json'));
  t.equal(refused.status, 403);
  await sleep(60);
  const id = refused.headers.get('x-request-id');
  const entries = (await world.entries()).filter(({ request }) => request?.id === id);
  t.match(entries, [{ kind: 'listing', decision: { action: 'deny', rule: String }, detail: { refused: true } }]);
  t.match(refused.headers.get('x-weighbridge-decision'), `rule=${entries[0]?.['decision'].rule}`);
});

t.test('a policy that changes while a file arrives is what decides, and its rule is named', async (t) => {
  const file = weights(9 * MIB);
  const { world, forbid } = await withPolicies(t, { 'model.safetensors': file });
  world.hub.fail({ kind: 'stall', ms: 3500, at: 8.5 * MIB, where: 'cdn', whole: true });
  const asked = world.fetch(path('model.safetensors'), { headers: { range: 'bytes=-1000' } });
  await sleep(300);
  await forbid();
  const answer = await asked;
  const text = await answer.text().catch(() => 'cut');
  if (answer.status === 206) t.equal(text, 'cut', 'no last byte leaves');
  else t.match(answer.headers.get('x-weighbridge-decision'), /^deny; rule=forbid.weights/);
  const [decision, outcome] = await entriesOf(world, 'model.safetensors');
  t.match(decision, { decision: { action: 'allow', provisional: true } });
  t.match(outcome, { kind: 'artefact.outcome', decision: { action: 'deny' }, served: { complete: false } });
});

t.test('and so while one is converted, also for clients that wait for the whole verdict', async (t) => {
  const { world, forbid } = await withPolicies(t, { 'pytorch_model.bin': torchZip({ 'a.weight': tensor(2 * MIB) }) });
  await world.fetch(path('model.safetensors'), { method: 'HEAD' });
  world.hub.fail({ kind: 'stall', ms: 3500, at: 6 * MIB, where: 'cdn', whole: true });
  const asked = world.fetch(path('model.safetensors'), { agent: 'curl/8' });
  await sleep(300);
  await forbid();
  const answer = await asked;
  t.equal(answer.status, 403);
  t.equal(answer.headers.get('x-error-code'), 'GatedRepo');
  t.match(answer.headers.get('x-weighbridge-decision'), /^deny; rule=forbid.weights/);
  t.match(await answer.text(), /nothing large is served today/);
  const entries = (await entriesOf(world, 'pytorch_model.bin')).filter(({ kind }) => kind !== 'artefact.head');
  t.match(entries.at(-1), { decision: { action: 'deny' }, served: { status: 403, bytes: 0 } });
});

t.test('what a rule says to hold is held, also while it is converted', async (t) => {
  const policies = t.testdir({
    'hold.yaml': `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: hold, title: Hold all }
rules:
  - { id: hold, when: 'true', action: allow, message: fine, obligations: { release: hold } }
`,
  });
  await copyFile(shipped, join(policies, 'default.yaml'));
  const files = { 'kept.safetensors': weights(9 * MIB), 'old.bin': torchZip({ 'a.weight': tensor(2.5 * MIB) }) };
  const world = await startWorld(t, [repo(files)], { settings: { POLICIES: policies } });
  for (const [asked, logged] of [
    ['kept.safetensors', 'kept.safetensors'],
    ['old.safetensors', 'old.bin'],
  ] as const) {
    const answer = await world.fetch(path(asked));
    t.equal(answer.status, 200, asked);
    await bytesOf(answer);
    const entries = (await entriesOf(world, logged)).filter(({ kind }) => kind === 'artefact.decision');
    t.equal(entries.length, 1);
    t.notOk(entries[0]?.['decision'].provisional, 'the one decision is about the whole file');
  }
});
