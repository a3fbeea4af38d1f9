import { createHash } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { scan } from '../../src/cli/scan.ts';
import { checkpointIndex, floats, onnxBeside, tfjsModel } from '../support/bare-weights.ts';
import { runCommand } from '../support/command-io.ts';
import { startHub } from '../support/hub.ts';

t.setTimeout(240_000);
process.env['WEIGHBRIDGE_SANDBOX_WORKERS'] = '1';

const SHARD = 'variables.data-00000-of-00001';
const DATA = floats(1000);
const padded = Buffer.concat([floats(1250), Buffer.alloc(8192 - 5000), floats(750)]);
const padding = [
  { offset: 0, size: 5000 },
  { offset: 8192, size: 3000 },
];
const spoilt = Buffer.from(padded);
spoilt[7000] = 9;
const broken = DATA.subarray(4);

const FILES: Readonly<Record<string, string | Uint8Array>> = {
  'a/variables.index': checkpointIndex([{ size: 4000 }]),
  [`a/${SHARD}`]: DATA,
  'b/model.onnx': onnxBeside('model.onnx_data', padding),
  'b/model.onnx_data': padded,
  'c/model.onnx': onnxBeside('model.onnx_data', padding),
  'c/model.onnx_data': spoilt,
  'd/model.json': tfjsModel(['w1', 'w2'], [7996]),
  'd/w1': DATA,
  'd/w2': broken,
  'e/variables.index': checkpointIndex([{ size: 4000 }]),
  [`e/${SHARD}`]: broken,
  'f/model.onnx': onnxBeside('model.onnx_data', padding, 'Exec', 'com.evil'),
  'f/model.onnx_data': padded,
};
const EXPLAINED = [`a/${SHARD}`, 'b/model.onnx_data', 'd/w1', 'd/w2'];
const HELD = ['c/model.onnx_data', `e/${SHARD}`, 'f/model.onnx', 'f/model.onnx_data'];

type Tap = typeof t;
type Line = { readonly path: string; readonly action: string; readonly rule: string; readonly sha256: string };
const lines = (text: string): readonly Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const ending = (found: readonly Line[], what: (line: Line) => boolean, prefix: string): readonly string[] =>
  found.filter(what).map(({ path }) => path.slice(prefix.length));

const folderOf = (t: Pick<Tap, 'testdir'>): string => {
  const folder = t.testdir({ a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, cache: {} });
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(join(folder, name), bytes);
  return folder;
};

t.test('bare bytes on disk pass beside the index that lays them out, in a folder or by themselves', async (t) => {
  const folder = folderOf(t);
  const whole = lines((await runCommand(scan.run, ['--json', folder])).stdout);
  t.same(
    ending(whole, ({ rule }) => rule === 'default/explained', `${folder}/`),
    EXPLAINED,
  );
  t.same(
    ending(whole, ({ action }) => action !== 'allow', `${folder}/`),
    HELD,
  );
  const alone = await runCommand(scan.run, ['--json', join(folder, 'a', SHARD)]);
  t.match([alone.code, lines(alone.stdout)], [0, [{ rule: 'default/explained' }]]);
  const piped = await runCommand(scan.run, ['--json', '-'], `${join(folder, 'd/w2')}\n`);
  t.match([piped.code, lines(piped.stdout)], [0, [{ rule: 'default/explained' }]]);
});

t.test('a cache of links is read by the names of the links', async (t) => {
  const folder = folderOf(t);
  symlinkSync('../a/variables.index', join(folder, 'cache/variables.index'));
  symlinkSync(`../e/${SHARD}`, join(folder, 'cache', SHARD));
  const wrong = await runCommand(scan.run, ['--json', join(folder, 'cache', SHARD)]);
  t.match([wrong.code, lines(wrong.stdout)], [1, [{ action: 'quarantine' }]], 'the bytes behind the link are too few');
  symlinkSync(`../a/${SHARD}`, join(folder, 'cache/x.data-00000-of-00001'));
  symlinkSync('../a/variables.index', join(folder, 'cache/x.index'));
  const right = await runCommand(scan.run, ['--json', join(folder, 'cache/x.data-00000-of-00001')]);
  t.match([right.code, lines(right.stdout)], [0, [{ rule: 'default/explained' }]]);
});

t.test('of a repo on the Hub one file is scanned with its index, which is fetched for it', async (t) => {
  const hub = await startHub({ repos: [{ name: 'org/model', files: FILES }] });
  t.teardown(() => hub.close());
  process.env['WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL'] = hub.url;
  process.env['WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE'] = 'true';
  t.teardown(() => {
    delete process.env['WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL'];
    delete process.env['WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE'];
  });
  const label = `hf://org/model@${hub.commit('org/model')}/`;
  const one = await runCommand(scan.run, ['--json', `${label}a/${SHARD}`]);
  const sha256 = createHash('sha256').update(DATA).digest('hex');
  t.match([one.code, lines(one.stdout)], [0, [{ path: `${label}a/${SHARD}`, rule: 'default/explained', sha256 }]]);
  const all = lines((await runCommand(scan.run, ['--json', 'hf://org/model'])).stdout);
  t.same(
    ending(all, ({ rule }) => rule === 'default/explained', label),
    EXPLAINED,
  );
  t.same(
    ending(all, ({ action }) => action !== 'allow', label),
    HELD,
  );
});
