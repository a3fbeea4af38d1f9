import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { convert } from '../../src/cli/convert.ts';
import { systemCall, torchZip } from '../support/checkpoints.ts';
import { runCommand } from '../support/command-io.ts';
import { lz4Frame } from '../support/frame-writer.ts';
import { dict, legacyCheckpoint, type Storage, tensor } from '../support/torch-writer.ts';

const data = new Uint8Array(Float32Array.from({ length: 3000 }, (_, at) => (at * 7919) % 1009).buffer);
const zip = torchZip({ 'a.weight': { storage: 'FloatStorage', shape: [3000], data } });
const hostile = torchZip({ a: { storage: 'FloatStorage', shape: [3000], data } }, systemCall());
const storage: Storage = { key: '0', type: 'FloatStorage', elements: 3000, bytes: data };
const legacy = legacyCheckpoint(dict([['a.weight', tensor({ storage, shape: [3000], offset: 0, strides: [1] })]]), [
  storage,
]);

/** Compressed by Python's own modules, which do not look at what it is. */
const python =
  (call: string) =>
  (plain: Uint8Array): Buffer =>
    execFileSync('python3', ['-c', `import sys, bz2, lzma; sys.stdout.buffer.write(${call})`], {
      input: plain,
      timeout: 30_000,
    });

const wraps: Readonly<Record<string, (plain: Uint8Array) => Buffer>> = {
  gzip: (plain) => gzipSync(plain),
  zlib: (plain) => deflateSync(plain),
  zstd: (plain) => zstdCompressSync(plain),
  lz4: (plain) => lz4Frame(plain),
  bzip2: python('bz2.compress(sys.stdin.buffer.read())'),
  xz: python('lzma.compress(sys.stdin.buffer.read())'),
  lzma: python('lzma.compress(sys.stdin.buffer.read(), format=lzma.FORMAT_ALONE)'),
  'gzip twice': (plain) => gzipSync(gzipSync(plain)),
  'zstd in gzip in lz4': (plain) => lz4Frame(gzipSync(zstdCompressSync(plain))),
};

t.test('a wrapped checkpoint becomes what it would become by itself', async (t) => {
  const folder = t.testdir({});
  const at = (name: string): string => join(folder, name);
  const lines: string[] = [];
  for (const [kind, plain] of Object.entries({ zip, legacy })) {
    await writeFile(at(kind), plain);
    lines.push(`${at(kind)}\t${at(`${kind}.safetensors`)}`);
    for (const [name, wrap] of Object.entries(wraps)) {
      await writeFile(at(`${kind}-${name}`), wrap(plain));
      lines.push(`${at(`${kind}-${name}`)}\t${at(`${kind}-${name}.safetensors`)}`);
    }
  }
  const done = await runCommand(convert.run, ['-'], `${lines.join('\n')}\n`);
  t.equal(done.code, 0, done.stderr);
  for (const kind of ['zip', 'legacy']) {
    const expected = await readFile(at(`${kind}.safetensors`));
    t.ok(expected.subarray(-data.length).equals(Buffer.from(data)), kind);
    for (const name of Object.keys(wraps)) {
      t.ok(expected.equals(await readFile(at(`${kind}-${name}.safetensors`))), `${kind} in ${name}`);
    }
  }
  const packed = at('zip-gzip');
  t.equal((await runCommand(convert.run, [packed, at('one'), '--statement', at('said')])).code, 0);
  const said = JSON.parse(await readFile(at('said'), 'utf8'));
  const sha256 = createHash('sha256')
    .update(await readFile(packed))
    .digest('hex');
  t.equal(said.source.sha256, sha256, 'the statement is of the file as it came');
  t.equal(said.tensors[0].sha256, createHash('sha256').update(data).digest('hex'));
  const left = (await readdir(folder)).filter((name) => name.includes('.part') || name.includes('unwrapped'));
  t.same(left, [], 'nothing else is left behind');
});

t.test('what is wrapped and not provably only data is refused with the reason, and leaves no file', async (t) => {
  const folder = t.testdir({});
  const broken = gzipSync(zip);
  broken[broken.length - 6]! ^= 1;
  const cases: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    hostile: [gzipSync(hostile), /active content: .*runs commands/],
    cut: [gzipSync(zip).subarray(0, 2000), /end before/],
    'wrong checksum': [broken, /checksum/],
    'followed by a pickle': [Buffer.concat([gzipSync(zip), hostile]), /follow|active|os\.system/],
    'hostile in two': [zstdCompressSync(gzipSync(hostile)), /active content: .*runs commands/],
    'two checkpoints in one stream': [Buffer.concat([gzipSync(zip), gzipSync(zip)]), /./],
    bomb: [gzipSync(Buffer.concat([zip, Buffer.alloc(200 * 2 ** 20)]), { level: 9 }), /limit/],
  };
  for (const [name, [bytes, why]] of Object.entries(cases)) {
    const input = join(folder, 'in.bin');
    await writeFile(input, bytes);
    const { code, stderr } = await runCommand(convert.run, [input, join(folder, 'out')]);
    t.equal(code, 1, name);
    t.match(stderr, why, name);
    t.same(await readdir(folder), ['in.bin'], name);
  }
});
