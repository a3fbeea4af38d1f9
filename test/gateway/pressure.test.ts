import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { type TorchTensor, torchZip } from '../support/checkpoints.ts';
import type { HubRepo } from '../support/hub.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { HUB_AGENT, startWorld } from '../support/world.ts';

const MIB = 1024 * 1024;
const weights = (bytes: number, seed = 1): Uint8Array => {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 997) data[at] = (at * seed) >> 3;
  return safetensors({ weight: { dtype: 'U8', shape: [bytes], data } }, { metadata: { format: 'pt' } });
};
const tensor = (elements: number, seed = 1): TorchTensor => ({
  storage: 'FloatStorage',
  shape: [elements],
  data: new Uint8Array(Float32Array.from({ length: elements }, (_, index) => index * seed).buffer),
});
const repo = (files: HubRepo['files']): HubRepo => ({ name: 'acme/tiny', files });
const path = (file: string): string => `acme/tiny/resolve/main/${file}`;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

/** Rejections that nobody listens to end a gateway. */
const unheard: unknown[] = [];
process.on('unhandledRejection', (reason) => {
  // Of the bodies that this test's own client gave up.
  if (!(reason instanceof TypeError && reason.message === 'terminated')) unheard.push(reason);
});

t.test('a store with room for few files serves right bytes or says that it is full, and nothing else', async (t) => {
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, seed) => [`${seed}.safetensors`, weights(MIB, seed + 1)]),
  );
  const world = await startWorld(t, [repo(files)], { settings: { STORE_LIMIT: String(4 * MIB) } });
  const seen = new Map<number, number>();
  const wrong: string[] = [];
  const lane = async (lane: number): Promise<void> => {
    for (let turn = 0; turn < 14; turn++) {
      const name = `${(turn * 5 + lane * 7) % 12}.safetensors`;
      const answer = await world.fetch(path(name), { agent: turn % 2 === 0 ? 'curl/8' : HUB_AGENT });
      const body = await bytesOf(answer).catch(() => Buffer.from('cut'));
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      if (answer.status === 200 && sha256(body) !== sha256(files[name] ?? new Uint8Array())) wrong.push(name);
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(lane));
  t.same(wrong, []);
  t.same(
    [...seen.keys()].filter((status) => status !== 200 && status !== 507),
    [],
    JSON.stringify([...seen]),
  );
  t.ok((seen.get(200) ?? 0) > 30);
});

t.test(
  'a store that is full in the middle of a conversion ends it cleanly, and the next one that fits is made',
  async (t) => {
    const [large, small] = [torchZip({ a: tensor(MIB) }), torchZip({ b: tensor(1000) })];
    const world = await startWorld(t, [repo({ 'large.bin': large, 'small.bin': small })], {
      settings: { STORE_LIMIT: String(6 * MIB) },
    });
    for (const agent of [HUB_AGENT, 'curl/8']) {
      const answer = await world.fetch(path('large.safetensors'), { agent });
      if (answer.status === 200) await t.rejects(bytesOf(answer), 'never a whole body');
      else t.match(await answer.json(), { code: 'STORE_FULL' });
    }
    const fits = await world.fetch(path('small.safetensors'));
    t.equal(fits.status, 200, 'a smaller one fits');
    t.ok((await bytesOf(fits)).length > 4000);
  },
);

t.test('a gateway that is stopped during transfers stops, and the next one begins them again', async (t) => {
  const files = {
    'a.safetensors': weights(9 * MIB),
    'b.safetensors': weights(3 * MIB, 2),
    'c.bin': torchZip({ a: tensor(MIB) }),
  };
  const world = await startWorld(t, [repo(files)]);
  world.hub.fail({ kind: 'stall', ms: 20_000, at: 2 * MIB, where: 'cdn', whole: true });
  const asked = ['a.safetensors', 'b.safetensors', 'c.safetensors'].map((name) =>
    world.fetch(path(name)).then(
      async (answer) => `${answer.status} ${(await bytesOf(answer)).length}`,
      (error: Error) => error.message,
    ),
  );
  await sleep(1500);
  const began = performance.now();
  await world.restart();
  t.ok(performance.now() - began < 9000, 'a drain of 2 s and not the stall of 20');
  await Promise.allSettled(asked);
  world.hub.heal();
  for (const name of ['a.safetensors', 'b.safetensors'] as const) {
    t.equal(sha256(await bytesOf(await world.fetch(path(name)))), sha256(files[name]), name);
  }
  t.equal((await world.fetch(path('c.safetensors'))).status, 200);
});

t.test('clients that leave at any moment leave nothing behind and harm nobody', async (t) => {
  const files = { 'a.safetensors': weights(9 * MIB), 'c.bin': torchZip({ a: tensor(3 * MIB) }) };
  const world = await startWorld(t, [repo(files)]);
  const { hostname, port } = new URL(world.url);
  world.hub.fail({ kind: 'drip', chunk: 512 * 1024, ms: 40, where: 'cdn' });
  const leave = async (file: string, after: number): Promise<void> => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(`GET /hf/${path(file)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUser-Agent: ${HUB_AGENT}\r\n\r\n`);
    socket.resume();
    await sleep(after);
    if (after % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  };
  await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      leave(index % 2 === 0 ? 'a.safetensors' : 'c.safetensors', 1 + index * 53),
    ),
  );
  t.equal(sha256(await bytesOf(await world.fetch(path('a.safetensors')))), sha256(files['a.safetensors']));
  t.equal((await bytesOf(await world.fetch(path('c.safetensors')))).length > 12 * MIB, true);
  await sleep(500);
  const entries = await world.entries();
  t.notOk(entries.some(({ detail }) => detail?.fault === 'INTERNAL'));
  const decisions = entries.filter(({ kind }) => kind === 'artefact.decision').map(({ request }) => request.id);
  const outcomes = entries.filter(({ kind }) => kind === 'artefact.outcome').map(({ request }) => request.id);
  t.same(
    decisions.filter((id) => !outcomes.includes(id)),
    [],
    'every decision has its outcome',
  );
  t.equal(new Set(outcomes).size, outcomes.length, 'and only one');
});

t.test('requests that come at once on one connection are answered in order', async (t) => {
  const files = { 'a.safetensors': weights(200_000), 'b.safetensors': weights(100_000, 2) };
  const world = await startWorld(t, [repo(files)]);
  for (const name of Object.keys(files)) await bytesOf(await world.fetch(path(name)));
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  const got: Buffer[] = [];
  socket.on('data', (chunk) => got.push(chunk));
  const get = (file: string, more = ''): string =>
    `GET /hf/${path(file)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${more}\r\n`;
  socket.write(
    get('a.safetensors') +
      get('b.safetensors') +
      get('a.safetensors', 'Range: bytes=0-9\r\n') +
      get('b.safetensors', 'Connection: close\r\n'),
  );
  await once(socket, 'close');
  const text = Buffer.concat(got).toString('latin1');
  t.same(
    [...text.matchAll(/HTTP\/1\.1 (\d+)[\s\S]*?content-length: (\d+)/gi)].map(([, status, length]) => [
      status,
      Number(length),
    ]),
    [
      ['200', files['a.safetensors'].length],
      ['200', files['b.safetensors'].length],
      ['206', 10],
      ['200', files['b.safetensors'].length],
    ],
  );
});

t.test('nothing of all this was rejected without anybody listening', async (t) => {
  await sleep(100);
  t.same(unheard, []);
});
