import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { HubRepo } from '../support/hub.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { readWithPause, startWorld, type World } from '../support/world.ts';

const MIB = 1024 * 1024;

/** A safetensors file of about `bytes` bytes whose content depends on `seed`. */
const weights = (bytes: number, seed = 1): Uint8Array => {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 997) data[at] = (at * seed) >> 3;
  return safetensors({ weight: { dtype: 'U8', shape: [bytes], data } }, { metadata: { format: 'pt' } });
};

const repo = (files: HubRepo['files'], more: Partial<HubRepo> = {}): HubRepo => ({ name: 'acme/tiny', files, ...more });
const path = (file: string, revision = 'main'): string => `acme/tiny/resolve/${revision}/${file}`;
/** Answers with bytes of an LFS file so far. */
const transfers = (world: World): number =>
  world.hub.log.filter(({ where, method, bytes }) => where === 'cdn' && method === 'GET' && bytes > 0).length;
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

t.test('a small file is fetched once, judged, logged twice, and then served from the store', async (t) => {
  const file = safetensors({ a: { dtype: 'F32', shape: [2], data: float32(1, 2) } });
  const world = await startWorld(t, [repo({ 'model.safetensors': file, 'config.json': '{"model_type":"bert"}' })]);
  const first = await world.fetch(path('model.safetensors'));
  t.equal(first.status, 200);
  t.match(first.headers.get('x-weighbridge-decision'), /^allow; rule=/);
  t.equal(first.headers.get('etag'), `"${createHash('sha256').update(file).digest('hex')}"`);
  t.equal(first.headers.get('x-repo-commit'), world.hub.commit('acme/tiny'));
  t.ok((await bytesOf(first)).equals(Buffer.from(file)));
  t.equal(transfers(world), 1);
  const second = await world.fetch(path('model.safetensors'));
  t.ok((await bytesOf(second)).equals(Buffer.from(file)));
  t.equal(transfers(world), 1, 'the second download comes from the store');
  await sleep(50);
  const entries = (await world.entries()).filter(({ artefact }) => artefact?.path === 'model.safetensors');
  t.same(
    entries.map(({ kind }) => kind),
    ['artefact.decision', 'artefact.outcome', 'artefact.decision', 'artefact.outcome'],
  );
  t.match(entries[0], {
    decision: { action: 'allow' },
    evidence: { policySet: /^[0-9a-f]{64}$/, facts: /^[0-9a-f]{64}$/ },
  });
  t.match(entries[1], { served: { bytes: file.length, complete: true, release: 'held', status: 200 } });
  t.match(entries[3], { served: { release: 'cached' } });
  const facts = await fetch(`${world.url}/api/v1/facts/${entries[0]?.['evidence'].facts}`);
  t.match(await facts.json(), { artefact: { path: 'model.safetensors', format: 'safetensors', content: 'inert' } });
  const report = await fetch(`${world.url}/api/v1/reports/${entries[0]?.['artefact'].sha256}`);
  t.match(await report.json(), { format: 'safetensors', coverage: { state: 'complete' }, findings: [] });
});

t.test('500 clients that want the same cold file make one transfer', async (t) => {
  const file = weights(1 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  world.hub.fail({ kind: 'stall', ms: 300, at: 0.5 * MIB, where: 'cdn', times: 1 });
  const answers = await Promise.all(
    Array.from({ length: 500 }, async () => {
      const answer = await world.fetch(path('model.safetensors'));
      return createHash('sha256')
        .update(await bytesOf(answer))
        .digest('hex');
    }),
  );
  t.same([...new Set(answers)], [createHash('sha256').update(file).digest('hex')]);
  const seen = world.hub.log.filter(({ where, method }) => where === 'cdn' && method === 'GET');
  const asked = seen.reduce((total, { bytes }) => total + bytes, 0);
  t.ok(asked < 2 * file.length, `${asked} bytes for a file of ${file.length}`);
});

t.test('a large file that has to be held is transferred once, for whoever asks and for its inspection', async (t) => {
  const rows = Buffer.from(`name,value\n${'a long enough name,12345\n'.repeat(400_000)}`);
  const world = await startWorld(t, [{ ...repo({ 'rows.csv': rows }), lfs: ['*.csv'] }]);
  const bodies = await Promise.all(
    Array.from({ length: 20 }, async () => bytesOf(await world.fetch(path('rows.csv')))),
  );
  t.ok(bodies.every((body) => body.equals(rows)));
  const seen = world.hub.log.filter(({ method, bytes }) => method === 'GET' && bytes > MIB);
  t.equal(seen.length, 1);
});

t.test('a large file leaves while it arrives, but for its last 64 KiB', async (t) => {
  const file = weights(12 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })], { timings: { keepAlive: 100 } });
  world.hub.fail({ kind: 'stall', ms: 4000, at: 11 * MIB, where: 'cdn', skip: 1 });
  const answer = await world.fetch(path('model.safetensors'));
  const { body, beforePause: early } = await readWithPause(answer);
  t.ok(early > 8 * MIB, `${early} bytes left before the file was whole`);
  t.ok(early <= file.length - 64 * 1024);
  t.ok(body.equals(Buffer.from(file)));
  await sleep(50);
  const entries = (await world.entries()).filter(({ artefact }) => artefact?.path === 'model.safetensors');
  t.match(entries[0], { kind: 'artefact.decision', decision: { action: 'allow', provisional: true } });
  t.match(entries[1], { kind: 'artefact.outcome', served: { release: 'sealed', complete: true } });
  t.notOk(entries[1]?.['decision'].provisional);
});

t.test('a client that does not check lengths gets nothing before the verdict', async (t) => {
  const file = weights(9 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  const answer = await world.fetch(path('model.safetensors'), { agent: 'curl/7.88.1' });
  t.equal((await bytesOf(answer)).length, file.length);
  await sleep(50);
  const [, outcome] = (await world.entries()).filter(({ artefact }) => artefact?.path === 'model.safetensors');
  t.match(outcome, { served: { release: 'held' } });
});

t.test('bytes that are not the listed ones never arrive whole, and the next answer says why', async (t) => {
  const file = weights(12 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file, 'small.safetensors': weights(100) })]);
  world.hub.fail({ kind: 'flip', at: 9 * MIB, where: 'cdn' });
  const answer = await world.fetch(path('model.safetensors'));
  t.equal(answer.status, 200);
  await t.rejects(bytesOf(answer), 'the body ends early');
  world.hub.heal();
  const resumed = await world.fetch(path('model.safetensors'), { headers: { range: `bytes=${8 * MIB}-` } });
  t.equal(resumed.status, 200, 'a wrong prefix is not completed: byte 0 comes first');
  t.ok((await bytesOf(resumed)).equals(Buffer.from(file)));
  world.hub.fail({ kind: 'flip', at: 120, where: 'cdn' });
  const small = await world.fetch(path('small.safetensors'), { agent: 'curl/7.88.1' });
  t.equal(small.status, 502);
  t.match(await small.text(), /digest/);
});

t.test('a client that leaves does not stop the transfer', async (t) => {
  const file = weights(3 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  world.hub.fail({ kind: 'stall', ms: 600, at: 1 * MIB, where: 'cdn' });
  const leaving = new AbortController();
  const gone = world.fetch(path('model.safetensors'), { signal: leaving.signal });
  await sleep(200);
  leaving.abort();
  await t.rejects(gone);
  await sleep(900);
  const before = transfers(world);
  const answer = await world.fetch(path('model.safetensors'));
  t.ok((await bytesOf(answer)).equals(Buffer.from(file)));
  t.equal(transfers(world), before, 'the retry finds it in the store');
});

t.test('upstream away: what is stored is served, what is not is answered with 504 and a reason', async (t) => {
  const file = weights(1000);
  const world = await startWorld(t, [repo({ 'a.safetensors': file, 'b.safetensors': weights(1000, 2) })]);
  await bytesOf(await world.fetch(path('a.safetensors')));
  await world.hub.close();
  await sleep(6000);
  const kept = await world.fetch(path('a.safetensors'));
  t.equal(kept.status, 200);
  t.ok((await bytesOf(kept)).equals(Buffer.from(file)));
  const missing = await world.fetch(path('b.safetensors'));
  t.equal(missing.status, 504);
  t.match(await missing.json(), { error: /connection refused/ });
  await world.restart();
  const again = await world.fetch(path('a.safetensors'));
  t.equal(again.status, 200, 'also after a restart');
});

t.test('every form of range is answered from the stored file', async (t) => {
  const file = Buffer.from(weights(5000));
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  const cases: readonly (readonly [string, number, number])[] = [
    ['bytes=0-99', 0, 100],
    ['bytes=100-100', 100, 101],
    ['bytes=-7', file.length - 7, file.length],
    ['bytes=4000-', 4000, file.length],
    ['bytes=4000-999999', 4000, file.length],
  ];
  for (const [range, start, end] of cases) {
    const answer = await world.fetch(path('model.safetensors'), { headers: { range } });
    t.equal(answer.status, 206, range);
    t.equal(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/${file.length}`);
    t.ok((await bytesOf(answer)).equals(file.subarray(start, end)), range);
  }
  const outside = await world.fetch(path('model.safetensors'), { headers: { range: 'bytes=999999-' } });
  t.equal(outside.status, 416);
  t.equal(outside.headers.get('content-range'), `bytes */${file.length}`);
});

t.test('a full store refuses to take in and says so; what is stored is served', async (t) => {
  const world = await startWorld(
    t,
    [repo({ 'small.safetensors': weights(1000), 'big.safetensors': weights(3 * MIB) })],
    {
      settings: { STORE_LIMIT: '1 MiB' },
    },
  );
  t.equal((await world.fetch(path('small.safetensors'))).status, 200);
  const refused = await world.fetch(path('big.safetensors'));
  t.equal(refused.status, 507);
  await refused.text();
  t.equal((await world.fetch(path('small.safetensors'))).status, 200);
});

t.test('upstream that answers Range with other bytes than GET is found out before the last bytes leave', async (t) => {
  const file = weights(12 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  world.hub.fail({ kind: 'flip', at: 100_000, where: 'cdn', times: 1 });
  const answer = await world.fetch(path('model.safetensors'));
  await t.rejects(bytesOf(answer), 'the ranges that were judged are not those of the file');
});
