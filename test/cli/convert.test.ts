import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { convert } from '../../src/cli/convert.ts';
import { warm } from '../../src/cli/warm.ts';
import { systemCall, torchZip } from '../support/checkpoints.ts';
import { runCommand } from '../support/command-io.ts';
import { startWorld } from '../support/world.ts';

const weights = new Uint8Array(Float32Array.from([1, 2, 3]).buffer);
const checkpoint = torchZip({ 'a.weight': { storage: 'FloatStorage', shape: [3], data: weights } });
const hostile = torchZip({ a: { storage: 'FloatStorage', shape: [3], data: weights } }, systemCall());

t.test('convert writes safetensors, a statement when asked, and says what it did', async (t) => {
  const folder = t.testdir({});
  const [input, output, statement] = ['in.bin', 'out.safetensors', 'out.json'].map((name) => join(folder, name));
  await writeFile(input!, checkpoint);
  const { code, stdout } = await runCommand(convert.run, [input!, output!, '--statement', statement!]);
  t.equal(code, 0);
  t.match(stdout, /1 tensors, \d+ bytes, sha256 [0-9a-f]{64}/);
  const file = await readFile(output!);
  const length = Number(file.readBigUInt64LE(0));
  t.match(JSON.parse(file.subarray(8, 8 + length).toString()), { 'a.weight': { dtype: 'F32', shape: [3] } });
  t.ok(file.subarray(8 + length).equals(Buffer.from(weights)));
  t.match(JSON.parse(await readFile(statement!, 'utf8')), {
    source: { sha256: /^[0-9a-f]{64}$/ },
    tensors: [{ name: 'a.weight', sha256: /^[0-9a-f]{64}$/ }],
  });
});

t.test('convert refuses what is not provably only data, and leaves no file', async (t) => {
  const folder = t.testdir({});
  const [input, output] = [join(folder, 'in.bin'), join(folder, 'out.safetensors')];
  await writeFile(input, hostile);
  const { code, stderr } = await runCommand(convert.run, [input, output]);
  t.equal(code, 1);
  t.match(stderr, /cannot be converted/);
  t.notOk(existsSync(output));
  await writeFile(join(folder, 'good.bin'), checkpoint);
  const lines = `${join(folder, 'good.bin')}\t${join(folder, 'good.safetensors')}\n${input}\t${output}\n`;
  const both = await runCommand(convert.run, ['-'], lines);
  t.equal(both.code, 1, 'one of two was refused');
  t.ok(existsSync(join(folder, 'good.safetensors')));
  t.equal((await runCommand(convert.run, [join(folder, 'absent.bin'), output])).code, 2);
  t.equal((await runCommand(convert.run, [])).code, 2);
});

t.test('warm waits for a plan that takes longer than listings do, and shows that it works', async (t) => {
  const slow = gzipSync(checkpoint);
  const world = await startWorld(
    t,
    [
      { name: 'acme/slow', files: { 'pytorch_model.bin': slow } },
      { name: 'acme/late', files: { 'pytorch_model.bin': gzipSync(hostile) } },
    ],
    { timings: { answerWithin: 100 } },
  );
  world.hub.fail({ kind: 'stall', ms: 4000, where: 'cdn', times: 2 });
  const drawn: string[] = [];
  const terminal = new Writable({
    write(chunk, _encoding, done) {
      drawn.push(String(chunk));
      done();
    },
  });
  const io = { stdin: Readable.from([]), stdout: new PassThrough(), stderr: Object.assign(terminal, { isTTY: true }) };
  t.equal(await warm.run(['acme/slow', '--gateway', world.endpoint], io), 0);
  t.match(io.stdout.read()?.toString(), /acme\/slow@[0-9a-f]{8}: 1 of 1 files are there/);
  t.ok(
    drawn.filter((text) => /(?:pytorch_model\.bin|model\.safetensors), [123] s/.test(text)).length > 1,
    'the bar lives while nothing arrives',
  );
  const late = await runCommand(warm.run, ['acme/late', '--gateway', world.endpoint]);
  t.match(late, { code: 1, stderr: /pytorch_model\.bin: .*os\.system/ }, 'the reason, not the status alone');
});

t.test('warm has the gateway fetch and convert a repo, and names what is refused', async (t) => {
  const files = { 'README.md': 'hello', 'pytorch_model.bin': checkpoint };
  const world = await startWorld(t, [
    { name: 'acme/good', files },
    { name: 'acme/mixed', files: { ...files, 'other/evil.pt': hostile } },
  ]);
  const good = await runCommand(warm.run, ['acme/good', '--gateway', world.endpoint]);
  t.match(good, { code: 0, stdout: /acme\/good@[0-9a-f]{8}: 2 of 2 files are there/ });
  const before = world.hub.log.filter(({ where }) => where === 'cdn').length;
  t.equal((await world.fetch('acme/good/resolve/main/model.safetensors')).status, 200);
  t.equal(world.hub.log.filter(({ where }) => where === 'cdn').length, before, 'a pipeline finds it in the cache');
  const mixed = await runCommand(warm.run, ['acme/mixed@main', '--gateway', world.endpoint]);
  t.match(mixed, { code: 1, stderr: /other\/evil\.pt: .*os\.system/ });
  t.equal(
    (await runCommand(warm.run, ['acme/mixed', '--gateway', 'http://127.0.0.1:1/hf']).catch(() => ({ code: 2 }))).code,
    2,
  );
});
