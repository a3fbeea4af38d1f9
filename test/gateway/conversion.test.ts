import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { openRecordsAlone } from '../../src/store/store.ts';
import { systemCall, type TorchTensor, torchZip } from '../support/checkpoints.ts';
import type { HubRepo } from '../support/hub.ts';
import { jsonOf, readWithPause, startWorld } from '../support/world.ts';

const MIB = 1024 * 1024;

const tensor = (elements: number, seed: number): TorchTensor => ({
  storage: 'FloatStorage',
  shape: [elements],
  data: new Uint8Array(Float32Array.from({ length: elements }, (_, index) => index * seed).buffer),
});

const repo = (files: HubRepo['files']): HubRepo => ({ name: 'acme/old', files });
const path = (file: string): string => `acme/old/resolve/main/${file}`;
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const CONFIG = '{"model_type":"bert"}';

type Header = Record<string, { data_offsets: [number, number]; shape: number[]; dtype: string }>;
const readSafetensors = (file: Buffer): { header: Header; data: Buffer } => {
  const length = Number(file.readBigUInt64LE(0));
  return { header: JSON.parse(file.subarray(8, 8 + length).toString()), data: file.subarray(8 + length) };
};

t.test('a repo that has only a pickle arrives as safetensors, and listing, HEAD and body agree', async (t) => {
  const weights = { 'a.weight': tensor(500, 1), 'b.weight': tensor(300, 3) };
  const world = await startWorld(t, [repo({ 'config.json': CONFIG, 'pytorch_model.bin': torchZip(weights) })]);
  const info = await jsonOf(await world.fetch('api/models/acme/old?blobs=true'));
  t.same(info.siblings.map(({ rfilename }: { rfilename: string }) => rfilename).sort(), [
    'config.json',
    'model.safetensors',
  ]);
  const listed = info.siblings.find(({ rfilename }: { rfilename: string }) => rfilename === 'model.safetensors');
  t.match(listed.blobId, /^[0-9a-f]{40}$/);
  t.notOk(listed.lfs, 'no digest is claimed before it is known');
  const [entry] = (await jsonOf(await world.fetch('api/models/acme/old/tree/main'))).filter(
    (file: { path: string }) => file.path === 'model.safetensors',
  );
  const head = await world.fetch(path('model.safetensors'), { method: 'HEAD' });
  t.equal(head.status, 200);
  t.equal(head.headers.get('etag'), `"${listed.blobId}"`);
  t.equal(entry.oid, listed.blobId);
  t.equal(entry.size, listed.size);
  t.equal(Number(head.headers.get('content-length')), listed.size);
  t.match(head.headers.get('x-weighbridge-decision'), /^convert; rule=/);
  const body = await bytesOf(await world.fetch(path('model.safetensors')));
  t.equal(body.length, listed.size);
  const { header, data } = readSafetensors(body);
  for (const [name, { data: expected }] of Object.entries(weights)) {
    t.ok(data.subarray(...header[name]!.data_offsets).equals(Buffer.from(expected)), name);
  }
  const sha256 = createHash('sha256').update(body).digest('hex');
  const after = await jsonOf(await world.fetch('api/models/acme/old/tree/main'));
  const known = after.find((file: { path: string }) => file.path === 'model.safetensors');
  t.same([known.oid, known.lfs.oid], [listed.blobId, sha256], 'the name stays, the true digest is added');
  const part = await bytesOf(await world.fetch(path('model.safetensors'), { headers: { range: 'bytes=100-199' } }));
  t.ok(part.equals(body.subarray(100, 200)));
});

t.test('the pickle itself is refused, and the refusal names what to ask for', async (t) => {
  const world = await startWorld(t, [
    repo({ 'config.json': CONFIG, 'pytorch_model.bin': torchZip({ a: tensor(9, 1) }) }),
  ]);
  for (const method of ['HEAD', 'GET']) {
    const answer = await world.fetch(path('pytorch_model.bin'), { method });
    t.equal(answer.status, 403);
    t.equal(answer.headers.get('x-error-code'), 'GatedRepo');
    t.match(answer.headers.get('x-error-message'), /rule default.*Ask for model\.safetensors instead\. Request /);
  }
});

t.test('a large checkpoint is converted while it arrives', async (t) => {
  const weights = { 'a.weight': tensor(2 * MIB, 1), 'b.weight': tensor(1.5 * MIB, 3) };
  const file = torchZip(weights);
  const world = await startWorld(t, [repo({ 'pytorch_model.bin': file })], { timings: { keepAlive: 100 } });
  const head = await world.fetch(path('model.safetensors'), { method: 'HEAD' });
  const ranged = world.hub.log.filter(({ where, headers }) => where === 'cdn' && headers['range'] !== undefined);
  t.ok(ranged.length <= 4 && ranged.every(({ bytes }) => bytes <= MIB), 'judged by a few small ranges');
  world.hub.fail({ kind: 'stall', ms: 4000, at: 12 * MIB, where: 'cdn' });
  const answer = await world.fetch(path('model.safetensors'));
  const { body, beforePause: early } = await readWithPause(answer);
  t.ok(
    early > 8 * MIB && early < body.length - 64 * 1024,
    `${early} of ${body.length} bytes before the source was whole`,
  );
  t.equal(body.length, Number(head.headers.get('content-length')));
  const { header, data } = readSafetensors(body);
  for (const [name, { data: expected }] of Object.entries(weights)) {
    t.ok(data.subarray(...header[name]!.data_offsets).equals(Buffer.from(expected)), name);
  }
  await sleep(50);
  const kinds = (await world.entries())
    .filter(({ artefact }) => artefact?.path === 'pytorch_model.bin')
    .map(({ kind }) => kind);
  t.same(kinds, ['artefact.decision', 'conversion', 'artefact.outcome']);
});

t.test('a wrong digest of the source never lets the converted file end', async (t) => {
  const file = torchZip({ 'a.weight': tensor(3 * MIB, 1) });
  const world = await startWorld(t, [repo({ 'pytorch_model.bin': file })]);
  await world.fetch(path('model.safetensors'), { method: 'HEAD' });
  world.hub.fail({ kind: 'flip', at: 9 * MIB, where: 'cdn' });
  const answer = await world.fetch(path('model.safetensors'));
  t.equal(answer.status, 200);
  await t.rejects(bytesOf(answer));
});

t.test('shards are converted one by one, and the index names them', async (t) => {
  const shards = [{ 'a.weight': tensor(10, 1) }, { 'b.weight': tensor(20, 2) }];
  const names = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'];
  const index = { metadata: { total_size: 120 }, weight_map: { 'a.weight': names[0], 'b.weight': names[1] } };
  const world = await startWorld(t, [
    repo({
      [names[0]!]: torchZip(shards[0]!),
      [names[1]!]: torchZip(shards[1]!),
      'pytorch_model.bin.index.json': JSON.stringify(index),
    }),
  ]);
  const tree = await jsonOf(await world.fetch('api/models/acme/old/tree/main?recursive=true'));
  t.same(tree.map((file: { path: string }) => file.path).sort(), [
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ]);
  const answer = await world.fetch(path('model.safetensors.index.json'));
  const text = await bytesOf(answer);
  t.equal(
    answer.headers.get('etag'),
    `"${createHash('sha1').update(`blob ${text.length}\0`).update(text).digest('hex')}"`,
  );
  t.same(JSON.parse(text.toString()), {
    metadata: { total_size: 120 },
    weight_map: { 'a.weight': 'model-00001-of-00002.safetensors', 'b.weight': 'model-00002-of-00002.safetensors' },
  });
  const second = await bytesOf(await world.fetch(path('model-00002-of-00002.safetensors')));
  t.same(Object.keys(readSafetensors(second).header), ['__metadata__', 'b.weight']);
});

t.test('a repo whose only weights would run code is refused as a whole, and says why', async (t) => {
  const evil = torchZip({ a: tensor(9, 1) }, systemCall());
  const world = await startWorld(t, [repo({ 'config.json': CONFIG, 'pytorch_model.bin': evil })]);
  for (const place of [
    'api/models/acme/old',
    path('config.json'),
    path('pytorch_model.bin'),
    path('model.safetensors'),
  ]) {
    const answer = await world.fetch(place);
    t.equal(answer.status, 403, place);
    t.equal(answer.headers.get('x-error-code'), 'GatedRepo');
    t.match(answer.headers.get('x-error-message'), /os\.system.*Request [0-9a-f-]{36}/, place);
  }
});

t.test('where upstream has safetensors already, nothing is minted and the pickle is unlisted', async (t) => {
  const { safetensors, float32 } = await import('../support/safetensors-writer.ts');
  const twin = safetensors({ a: { dtype: 'F32', shape: [1], data: float32(1) } });
  const world = await startWorld(t, [
    repo({ 'pytorch_model.bin': torchZip({ a: tensor(1, 1) }), 'model.safetensors': twin }),
  ]);
  const tree = await jsonOf(await world.fetch('api/models/acme/old/tree/main'));
  t.same(
    tree.map((file: { path: string }) => file.path),
    ['model.safetensors'],
  );
  t.ok((await bytesOf(await world.fetch(path('model.safetensors')))).equals(Buffer.from(twin)));
  t.match((await world.fetch(path('pytorch_model.bin'))).headers.get('x-error-message'), /Ask for model\.safetensors/);
});

t.test('the same conversion has the same bytes and name after a restart and in another gateway', async (t) => {
  const files = { 'pytorch_model.bin': torchZip({ 'a.weight': tensor(100, 1), 'b.weight': tensor(7, 2) }) };
  const [one, two] = [await startWorld(t, [repo(files)]), await startWorld(t, [repo(files)])];
  const first = await one.fetch(path('model.safetensors'));
  const bytes = await bytesOf(first);
  await one.restart();
  for (const world of [one, two]) {
    const again = await world.fetch(path('model.safetensors'));
    t.equal(again.headers.get('etag'), first.headers.get('etag'));
    t.ok((await bytesOf(again)).equals(bytes));
  }
});

t.test('an index that upstream lies about costs the index, not the listing', async (t) => {
  const index = JSON.stringify({ metadata: {}, weight_map: { a: 'pytorch_model-00001-of-00001.bin' } });
  const files = {
    'pytorch_model-00001-of-00001.bin': torchZip({ a: tensor(9, 1) }),
    'pytorch_model.bin.index.json': index,
  };
  const world = await startWorld(t, [repo(files)]);
  world.hub.fail({ kind: 'flip', at: 5, match: /index\.json/ });
  const tree = await world.fetch('api/models/acme/old/tree/main');
  t.equal(tree.status, 200);
  t.match(await tree.text(), /"pytorch_model.bin.index.json"/);
  t.equal((await world.fetch('api/models/acme/old')).status, 200);
  world.hub.heal();
  t.match(await (await world.fetch('api/models/acme/old/tree/main')).text(), /"model.safetensors.index.json"/);
});

t.test('a checkpoint wrapped in a compression arrives as safetensors, and listing, HEAD and body agree', async (t) => {
  const plain = torchZip({ 'a.weight': tensor(500, 1), 'b.weight': tensor(300, 3) });
  const files = {
    'pytorch_model.bin': gzipSync(plain),
    'plain.bin': plain,
    'zstd.pt': zstdCompressSync(plain),
    'evil.bin': gzipSync(torchZip({ a: tensor(9, 1) }, systemCall())),
    'twice.bin': gzipSync(gzipSync(plain)),
    'other.pt.gz': gzipSync(plain, { level: 1 }),
  };
  const world = await startWorld(t, [repo(files)]);
  type Entry = { path: string; size: number; oid: string };
  const listed = new Map<string, Entry>();
  for (const entry of Object.values(await jsonOf(await world.fetch('api/models/acme/old/tree/main'))))
    listed.set(entry.path, entry);
  const bodies: Buffer[] = [];
  for (const name of ['plain', 'model', 'zstd', 'twice', 'other']) {
    const entry = listed.get(`${name}.safetensors`);
    const head = await world.fetch(path(`${name}.safetensors`), { method: 'HEAD' });
    const answer = await world.fetch(path(`${name}.safetensors`));
    const body = await bytesOf(answer);
    t.match(answer.headers.get('x-weighbridge-decision'), /^convert; /, name);
    t.same([Number(head.headers.get('content-length')), body.length], [entry?.size, entry?.size], name);
    t.same([head.headers.get('etag'), answer.headers.get('etag')], [`"${entry?.oid}"`, `"${entry?.oid}"`], name);
    bodies.push(body);
  }
  t.ok(
    bodies.every((body) => body.equals(bodies[0]!)),
    'wrapped or not, the same tensors',
  );
  for (const name of ['pytorch_model.bin', 'evil.bin', 'evil.safetensors', 'twice.bin', 'zstd.pt'])
    t.not((await world.fetch(path(name))).status, 200, name);
  t.match(
    (await world.fetch(path('other.pt.gz'))).headers.get('x-error-message'),
    /Ask for other\.safetensors instead/,
  );
  t.match((await world.fetch(path('evil.bin'))).headers.get('x-error-message'), /os\.system/);
  const [body] = bodies;
  const sha256 = createHash('sha256').update(body!).digest('hex');
  await world.restart(async () => {
    const alone = await openRecordsAlone(world.data);
    const statement = await alone?.records.get('statement', sha256);
    t.match(statement, {
      source: { sha256: /^[0-9a-f]{64}$/ },
      converter: /./,
      output: { sha256, size: body!.length },
      tensors: [{ name: 'a.weight' }, { name: 'b.weight' }],
      dropped: [],
    });
    await alone?.close();
  });
});
