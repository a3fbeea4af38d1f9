import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { isBare } from '../../src/gateway/explain.ts';
import { hostileZip } from '../formats/samples/hostile.ts';
import { bloscChunk, hnswHeader } from '../formats/samples/parts.ts';
import {
  checkpointIndex,
  floats,
  ncnnGraph,
  ncnnWeights,
  onnxBeside,
  openvinoGraph,
  tfjsModel,
} from '../support/bare-weights.ts';
import { systemCall } from '../support/checkpoints.ts';
import {
  checkpointIndexOf,
  indexOf,
  numberPart,
  slicesOf,
  storageInfo,
  tensorPart,
} from '../support/distributed-writer.ts';
import type { HubFile } from '../support/hub.ts';
import { f32, u16, u32, u64 } from '../support/little-writer.ts';
import { assemble, op } from '../support/pickle-assembler.ts';
import { qdrantSegment } from '../support/qdrant-segment.ts';
import { bytes, reportOf } from '../support/reports.ts';
import { dict, value } from '../support/torch-writer.ts';
import { jsonOf, startWorld, type World } from '../support/world.ts';
import { writeZip } from '../support/zip-writer.ts';

type Files = Record<string, HubFile>;

/** The vectors of an index of Chroma that has two of them, with the neighbour of the second. */
const hnswVectors = (neighbour: number): Uint8Array => {
  const element = (other: number): Uint8Array => bytes(u16(1, 0), u32(other, 0, 1, 0), f32(1.5, -2.25), u64(other));
  return bytes(element(1), element(neighbour === 1 ? 0 : neighbour));
};

const inFolder = (folder: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([name, file]) => [`${folder}/${name}`, file]));

t.setTimeout(240_000);

const DATA = floats(1000);
const SHARD = 'variables.data-00000-of-00001';
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const wholly = [{ size: 3000 }, { size: 1000 }];

/** 5,000 bytes, zeros up to the next page, 3,000 bytes: as writers that map files lay out large tensors. */
const padded = Buffer.concat([floats(1250), Buffer.alloc(8192 - 5000), floats(750)]);
const paddedTensors = [
  { offset: 0, size: 5000 },
  { offset: 8192, size: 3000 },
];
const spoilt = Buffer.from(padded);
spoilt[6000] = 1;

/** Two by two chunks of a thousand floats each. */
const zarray = (other: object): string =>
  JSON.stringify({
    ...{ zarr_format: 2, shape: [100, 40], chunks: [50, 20], dtype: '<f4', compressor: null, filters: null },
    ...other,
  });
const zarr3 = JSON.stringify({
  ...{ zarr_format: 3, node_type: 'array', shape: [100, 40], data_type: 'float32' },
  ...{ chunk_grid: { name: 'regular', configuration: { chunk_shape: [50, 20] } } },
  ...{ chunk_key_encoding: { name: 'default' }, codecs: [{ name: 'bytes' }, { name: 'blosc' }] },
});

const get = (world: World, file: string, revision = 'main'): Promise<Response> =>
  world.fetch(`acme/bare/resolve/${revision}/${file}`);
const rule = (answer: Response): string => answer.headers.get('x-weighbridge-decision') ?? '';

t.test('the samples are bytes in which nothing is recognised', async (t) => {
  for (const bytes of [DATA, padded, spoilt]) t.ok(isBare(reportOf(bytes)), JSON.stringify(reportOf(bytes)));
  t.notOk(isBare(reportOf('text')));
  const program = Buffer.from(DATA);
  program.set([0x4d, 0x5a, 0x90, 0], 0);
  t.match(reportOf(program), { format: 'unknown', coverage: { reason: /begins like a Windows executable/ } });
  t.notOk(isBare(reportOf(program)), 'what begins like a program is not bare');
  const numbers = Buffer.from(Float32Array.from({ length: 256 }, (_, index) => Math.sin(index)).buffer);
  t.ok(isBare(reportOf(numbers)), 'numbers are');
  for (const imports of ['csome_module\nname\n.', 'N0csome_module\nname\n\xff', '\x8c\x03mod\x8c\x04name\x930\xff'])
    t.notOk(isBare(reportOf(Buffer.concat([Buffer.from(imports, 'latin1'), numbers]))), 'nor what only imports');
  for (const length of ['0x1f', '1F', ' 0x1f'])
    t.notOk(isBare(reportOf(`ZF${length.padEnd(19)}\0\x01`)), 'nor a compressed pickle of old');
  const far = Buffer.concat([Buffer.alloc(2 ** 25), Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), numbers]);
  t.equal(reportOf(far).format, 'hdf5', 'readers of HDF5 look as far as the file goes');
  const failed = { ...reportOf(DATA), details: { sandbox: 'SANDBOX_TIMEOUT' } };
  t.notOk(isBare(failed), 'what the sandbox could not finish is not known to be bare');
});

t.test(
  'bytes that an index beside them lays out to the last pass, held, and the log proves by which index',
  async (t) => {
    const index = checkpointIndex(wholly);
    const files: Files = {
      'variables/variables.index': index,
      [`variables/${SHARD}`]: DATA,
      'onnx/model.onnx': onnxBeside('model.onnx_data', paddedTensors),
      'onnx/model.onnx_data': padded,
      'web/model.json': tfjsModel(['group1-shard1of2.bin', 'group1-shard2of2.bin'], [4100, 3900]),
      'web/group1-shard1of2.bin': DATA,
      'web/group1-shard2of2.bin': floats(1000),
      'web/generation_config.json': '{"a": 1}',
      'graph/net.xml': openvinoGraph([
        { offset: 0, size: 3000 },
        { offset: 3000, size: 1000 },
      ]),
      'graph/net.bin': DATA,
      'mobile/half.param': ncnnGraph(501),
      'mobile/half.bin': ncnnWeights(501, 0x01306b47, 2),
      'mobile/full.param': ncnnGraph(501),
      'mobile/full.bin': ncnnWeights(501, 0, 4),
      'array/.zarray': zarray({}),
      'array/0.1': DATA,
      'packed/.zarray': zarray({ compressor: { id: 'zstd' } }),
      'packed/1.0': zstdCompressSync(DATA),
      'deep/zarr.json': zarr3,
      'deep/c/1/0': bloscChunk({ content: DATA }),
      'index/header.bin': hnswHeader(),
      'index/data_level0.bin': hnswVectors(1),
      'index/length.bin': new Uint8Array([9, 8, 7, 0xff, 9, 8, 7, 6]),
    };
    const world = await startWorld(t, [{ name: 'acme/bare', files }]);
    for (const file of [
      `variables/${SHARD}`,
      'onnx/model.onnx_data',
      'web/group1-shard1of2.bin',
      'web/group1-shard2of2.bin',
      'graph/net.bin',
      'mobile/half.bin',
      'mobile/full.bin',
      'index/data_level0.bin',
      'index/length.bin',
      'array/0.1',
      'packed/1.0',
      'deep/c/1/0',
    ]) {
      const answer = await get(world, file);
      t.equal(rule(answer), 'allow; rule=default/explained', file);
      t.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(files[file] as Uint8Array)), file);
    }
    const again = await get(world, `variables/${SHARD}`);
    t.equal((await again.arrayBuffer()).byteLength, DATA.length, 'again, from the store');
    const head = await world.fetch('acme/bare/resolve/main/web/group1-shard1of2.bin', { method: 'HEAD' });
    t.equal(head.status, 200);
    await sleep(50);
    const entries = (await world.entries()).filter(
      ({ artefact, kind }) => artefact?.path === `variables/${SHARD}` && /artefact\.(decision|outcome)/.test(kind),
    );
    t.same(
      entries.map(({ served }) => served?.release),
      [undefined, 'held', undefined, 'cached'],
    );
    const facts = await jsonOf(await fetch(`${world.url}/api/v1/facts/${entries[0]?.['evidence'].facts}`));
    t.match(facts, {
      artefact: { format: 'unknown', content: 'unknown' },
      coverage: { state: 'opaque' },
      explainedBy: { path: 'variables/variables.index', sha256: sha256(index), format: 'tf-checkpoint-index' },
    });
    const listed = await world.fetch('api/models/acme/bare/tree/main/web');
    t.equal(listed.status, 200);
  },
);

t.test('of a segment of Qdrant, bits and numbers without a mark pass by what lies beside them, exactly', async (t) => {
  const { files, bare } = qdrantSegment();
  const longer = Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      `longer/${path}`,
      bare.includes(path) ? bytes(content, [7]) : content,
    ]),
  );
  const alone = Object.fromEntries(bare.map((path) => [`alone/${path}`, files[path] ?? bytes()]));
  const flags = Buffer.from(files['flags/flags_a.dat'] ?? []);
  flags[63] = 1;
  const spoilt = { 'spoilt/flags_a.dat': flags, 'spoilt/status.dat': u64(500, 0) };
  const world = await startWorld(t, [{ name: 'acme/bare', files: { ...files, ...longer, ...alone, ...spoilt } }]);
  for (const path of Object.keys(files)) {
    const answer = await get(world, path);
    await answer.arrayBuffer();
    t.equal(rule(answer), `allow; rule=default/${bare.includes(path) ? 'explained' : 'inert'}`, path);
  }
  for (const path of [...bare.flatMap((name) => [`longer/${name}`, `alone/${name}`]), 'spoilt/flags_a.dat']) {
    const answer = await get(world, path);
    await answer.arrayBuffer();
    t.equal(answer.status, 403, path);
  }
});

const pickled = (size: number): Uint8Array => {
  const attack = Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.', 'latin1');
  return Buffer.concat([attack, Buffer.alloc(size - attack.length, 0x2e)]);
};
const zipped = writeZip([{ name: 'data.pkl', data: pickled(100) }]);
const evilTail = Buffer.concat([DATA, zipped]);

/** What lies in the folder, by name; the first file is the one that is asked for. */
const REFUSED: Readonly<Record<string, Files>> = {
  'one byte more': { [SHARD]: Buffer.concat([DATA, Buffer.from([7])]), 'variables.index': checkpointIndex(wholly) },
  'one byte less': { [SHARD]: DATA.subarray(1), 'variables.index': checkpointIndex(wholly) },
  'no index': { [SHARD]: DATA, 'other.index': checkpointIndex(wholly) },
  'a gap': { [SHARD]: DATA, 'variables.index': checkpointIndex([{ size: 3000 }, { offset: 3004, size: 996 }]) },
  'a gap at the beginning': { [SHARD]: DATA, 'variables.index': checkpointIndex([{ offset: 4, size: 3996 }]) },
  'an overlap': { [SHARD]: DATA, 'variables.index': checkpointIndex([{ size: 3000 }, { offset: 2996, size: 1004 }]) },
  'a variant among the variables': {
    [SHARD]: DATA,
    'variables.index': checkpointIndex([{ size: 3000 }, { size: 1000, type: 21 }]),
  },
  'an index that is broken': { [SHARD]: DATA, 'variables.index': checkpointIndex(wholly).subarray(1) },
  'an index that is refused': {
    'model.onnx_data': padded,
    'model.onnx': onnxBeside('model.onnx_data', paddedTensors, 'Exec', 'com.evil'),
  },
  'padding that is not zero': { 'model.onnx_data': spoilt, 'model.onnx': onnxBeside('model.onnx_data', paddedTensors) },
  'another name': { 'model.onnx_data': padded, 'model.onnx': onnxBeside('model.onnx.data', paddedTensors) },
  'a name that leaves the folder and comes back': {
    'model.onnx_data': padded,
    'model.onnx': onnxBeside('../model.onnx_data', paddedTensors),
  },
  'a manifest that leaves its folder': { 'w.bin': DATA, 'w.json': tfjsModel(['../w.bin'], [4000]) },
  'a manifest whose shards are not all there': { 'w1.bin': DATA, 'w.json': tfjsModel(['w1.bin', 'w2.bin'], [4000]) },
  'a manifest that names it twice': { 'w.bin': DATA, 'w.json': tfjsModel(['w.bin', 'w.bin'], [8000]) },
  'a manifest with keys twice': {
    'w.bin': DATA,
    'w.json': tfjsModel(['w.bin'], [4000]).replace('{', '{"weightsManifest":[],'),
  },
  'a pickle behind the name': { 'w.bin': pickled(4000), 'w.json': tfjsModel(['w.bin'], [4000]) },
  'a zip behind the name': { 'w.bin': zipped, 'w.json': tfjsModel(['w.bin'], [zipped.length]) },
  'a zip behind the tensors': { 'w.bin': evilTail, 'w.json': tfjsModel(['w.bin'], [evilTail.length]) },
  'weights marked as what they are not': { 'half.bin': ncnnWeights(501, 0x000d4b38, 2), 'half.param': ncnnGraph(501) },
  'a chunk outside of its array': { '2.0': DATA, '.zarray': zarray({}) },
  'a chunk with a zero before its place': { '00.1': DATA, '.zarray': zarray({}) },
  'a chunk of another size': { '0.1': DATA.subarray(4), '.zarray': zarray({}) },
  'a chunk that becomes more': {
    '0.1': zstdCompressSync(floats(1001)),
    '.zarray': zarray({ compressor: { id: 'zstd' } }),
  },
  'a chunk in another compression': {
    '0.1': zstdCompressSync(DATA),
    '.zarray': zarray({ compressor: { id: 'gzip' } }),
  },
  'a chunk that is not compressed': { '0.1': DATA, '.zarray': zarray({ compressor: { id: 'zstd' } }) },
  'a pickle in a compressed chunk': {
    '0.1': zstdCompressSync(pickled(4000)),
    '.zarray': zarray({ compressor: { id: 'zstd' } }),
  },
  'a chunk of an array that is unpickled': { '0.1': DATA, '.zarray': zarray({ filters: [{ id: 'pickle' }] }) },
  'a chunk too deep': { 'c/0/1/0': DATA, 'zarr.json': zarr3 },
  'a neighbour that does not exist': { 'data_level0.bin': hnswVectors(2), 'header.bin': hnswHeader() },
  'vectors of another number': { 'data_level0.bin': hnswVectors(1), 'header.bin': hnswHeader({ elements: 1 }) },
  'a graph of another name': { 'other.bin': DATA, 'net.xml': openvinoGraph([{ offset: 0, size: 4000 }]) },
  'an index of another folder': {
    'deep/model.onnx_data': padded,
    'model.onnx': onnxBeside('deep/model.onnx_data', paddedTensors),
  },
  'an index above that climbs down': {
    'deep/w.bin': DATA,
    'w.json': tfjsModel(['deep/w.bin'], [4000]),
  },
  'an index below that climbs up': { 'w.bin': DATA, 'deep/w.json': tfjsModel(['../w.bin'], [4000]) },
};

t.test('whatever is not laid out exactly, by an index that passes, is refused as before', async (t) => {
  const cases = Object.entries(REFUSED);
  const files: Files = { 'config.json': '{}' };
  cases.forEach(([, folder], number) => {
    for (const [name, bytes] of Object.entries(folder)) files[`case${number}/${name}`] = bytes;
  });
  const world = await startWorld(t, [{ name: 'acme/bare', files }]);
  for (const [number, [what, folder]] of cases.entries()) {
    const answer = await get(world, `case${number}/${Object.keys(folder)[0]}`);
    await answer.arrayBuffer();
    t.equal(answer.status, 403, what);
    t.notMatch(rule(answer), /explained/, what);
  }
});

t.test('the index counts that lies beside the bytes at that commit', async (t) => {
  const name = `variables/${SHARD}`;
  const main: Files = { 'variables/variables.index': checkpointIndex(wholly), [name]: DATA };
  const other: Files = { 'variables/variables.index': checkpointIndex([{ size: 3000 }]), [name]: DATA };
  const gone: Files = { [name]: DATA, 'README.md': 'hello' };
  const world = await startWorld(t, [{ name: 'acme/bare', files: main, branches: { other, gone } }]);
  for (const [revision, status] of [
    ['main', 200],
    ['other', 403],
    ['gone', 403],
    ['main', 200],
  ] as const) {
    const answer = await get(world, name, revision);
    await answer.arrayBuffer();
    t.equal(answer.status, status, revision);
  }
});

t.test('many who ask at once have the index fetched once; one that cannot be had now is no refusal', async (t) => {
  const name = `variables/${SHARD}`;
  const files: Files = { 'variables/variables.index': checkpointIndex(wholly), [name]: DATA };
  const world = await startWorld(t, [{ name: 'acme/bare', files }]);
  world.hub.fail({ kind: 'flip', at: 3, match: /variables\.index/ });
  const broken = await get(world, name);
  await broken.arrayBuffer();
  t.notMatch(rule(broken), /allow/, 'an index that is not the listed one explains nothing');
  world.hub.heal();
  const before = world.hub.log.length;
  const answers = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const answer = await get(world, name);
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  t.same([...new Set(answers)], [200]);
  const sent = world.hub.log.slice(before).filter(({ path, bytes }) => bytes > 0 && /variables\.index/.test(path));
  t.equal(sent.length, 1, 'one transfer of the index');
});

/** A file of three parts, and one of a single part. */
const [ONE, TWO] = [tensorPart(), numberPart()];
const PARTS: Files = { '__0_0.distcp': Buffer.concat([TWO, ONE, ONE]), '__1_0.distcp': ONE };
const CUT = [
  ...slicesOf('__0_0.distcp', [TWO.length, ONE.length, ONE.length]),
  ...slicesOf('__1_0.distcp', [ONE.length]),
];
/** A pickle that would run, if it were what the index points at, in a text that nobody runs. */
const NOTES = `Notes\n\n${'cos\nsystem\n'}(S'true'\ntR.`;

const infos = CUT.map((slice) => storageInfo(slice));
const whole = PARTS['__0_0.distcp'] as Uint8Array;

/** Indexes of distributed checkpoints that must not pass, with what lies beside them. */
const MISLED: Readonly<Record<string, { readonly index: Uint8Array; readonly beside?: Files }>> = {
  'parts that end inside a tensor': {
    index: checkpointIndexOf([
      ...slicesOf('__0_0.distcp', [TWO.length + 40, ONE.length - 40, ONE.length]),
      ...CUT.slice(3),
    ]),
  },
  'one part in the place of two': {
    index: checkpointIndexOf([...slicesOf('__0_0.distcp', [TWO.length, 2 * ONE.length]), ...CUT.slice(3)]),
  },
  'a part inside another': { index: checkpointIndexOf([...CUT, ['__0_0.distcp', 50, 40]]) },
  'a part that nobody names': { index: checkpointIndexOf(CUT.slice(1)) },
  'a file that is not there': { index: checkpointIndexOf(CUT), beside: { '__0_0.distcp': whole } },
  'a file of another size': {
    index: checkpointIndexOf(CUT),
    beside: { ...PARTS, '__0_0.distcp': Buffer.concat([whole, ONE]) },
  },
  'a part that calls': {
    index: checkpointIndexOf(slicesOf('x.distcp', [ONE.length, hostileZip.length])),
    beside: { 'x.distcp': Buffer.concat([ONE, hostileZip]) },
  },
  'a part of a text': { index: checkpointIndexOf([['notes.txt', 0, NOTES.length]]), beside: { 'notes.txt': NOTES } },
  'a file outside of the folder': { index: checkpointIndexOf([['../notes.txt', 0, 10]]) },
  'an absolute file': { index: checkpointIndexOf([['/etc/hostname', 0, 10]]) },
  'a part that is transformed': {
    index: indexOf([storageInfo(['__1_0.distcp', 0, ONE.length], [['transform_descriptors', op.emptyList()]])]),
  },
  'a part that another object names': {
    index: indexOf([
      assemble(
        op.global('types', 'SimpleNamespace'),
        op.emptyTuple(),
        op.newobj(),
        dict([
          ['relative_path', value.str('__1_0.distcp')],
          ['offset', value.int(40)],
          ['length', value.int(40)],
        ]),
        op.build(),
      ),
    ]),
  },
  'an index of another class with a part of a text': {
    index: indexOf([storageInfo(['notes.txt', 0, NOTES.length])], ['types', 'SimpleNamespace']),
    beside: { 'notes.txt': NOTES },
  },
  'an index that calls': { index: indexOf(infos, undefined, systemCall()) },
};

t.test('an index of a distributed checkpoint passes with the files that are cut as it says', async (t) => {
  const index = checkpointIndexOf(CUT);
  t.match(reportOf(index), { content: 'unknown', coverage: { state: 'complete' } }, 'by itself it is no proof');
  const world = await startWorld(t, [{ name: 'acme/bare', files: { 'c/.metadata': index, ...inFolder('c', PARTS) } }]);
  const answer = await get(world, 'c/.metadata');
  t.equal(rule(answer), 'allow; rule=default/explained');
  t.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(index)));
  for (const [name, bytes] of Object.entries(PARTS)) {
    const part = await get(world, `c/${name}`);
    t.equal(rule(part), 'allow; rule=default/known-pickle', name);
    t.ok(Buffer.from(await part.arrayBuffer()).equals(Buffer.from(bytes as Uint8Array)), name);
  }
});

t.test('an index that has its loader unpickle anything else is refused', async (t) => {
  const cases = Object.entries(MISLED);
  const files: Files = { 'config.json': '{}', 'notes.txt': NOTES };
  cases.forEach(([, { index, beside = PARTS }], number) => {
    Object.assign(files, { [`case${number}/.metadata`]: index }, inFolder(`case${number}`, beside));
  });
  const world = await startWorld(t, [{ name: 'acme/bare', files }]);
  for (const [number, [what]] of cases.entries()) {
    const answer = await get(world, `case${number}/.metadata`);
    await answer.arrayBuffer();
    t.equal(answer.status, 403, what);
    t.notMatch(rule(answer), /allow/, what);
  }
  const zipped = reportOf(
    writeZip([
      { name: '.metadata', data: checkpointIndexOf(CUT) },
      { name: '__1_0.distcp', data: ONE },
    ]),
  );
  t.equal(zipped.content, 'unknown', 'in an archive it lies beside nothing that was compared');
});
