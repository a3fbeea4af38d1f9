import { createHash } from 'node:crypto';
import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { inspect } from '../../src/formats/index.ts';
import { describeStructure } from '../../src/formats/weights/structure.ts';
import { readReport } from '../../src/sandbox/answer.ts';
import { torchZip } from '../support/checkpoints.ts';
import { gguf } from '../support/gguf-writer.ts';
import { bytes, passes, reportOf, rules } from '../support/reports.ts';
import { safetensors, type TensorSpec } from '../support/safetensors-writer.ts';

// biome-ignore lint/suspicious/noExplicitAny: details are read as a consumer of the JSON would
const weightsOf = (file: Uint8Array): any => reportOf(file).details?.['weights'];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Numbers as training leaves them, the same in every run. */
const noise = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => Math.sin(at * 12.9898) * 0.05);
const matrix = (values: Float32Array | Float64Array, dtype = 'F32'): TensorSpec => ({
  dtype,
  shape: [values.length / 32, 32],
  data: new Uint8Array(values.buffer),
});
/** 2048 16-bit elements of `pattern`, with `odd` among them. */
const sixteen = (dtype: string, pattern: number, odd = pattern): TensorSpec => {
  const words = Uint16Array.from({ length: 2048 }, (_, at) => (at === 700 ? odd : pattern + (at & 1)));
  return { dtype, shape: [64, 32], data: new Uint8Array(words.buffer) };
};

t.test('the fingerprint is the sha256 over sorted lines of name, type and shape, and nothing else', async (t) => {
  const a = { dtype: 'F32', shape: [2], data: new Uint8Array(8) };
  const b = { dtype: 'I64', shape: [], data: new Uint8Array(8) };
  const expected = sha256('"a" F32 [2]\n"b\\u00e9 \\"x\\"" I64 []\n');
  t.equal(weightsOf(safetensors({ a, 'bé "x"': b })).fingerprint, expected);
  const other = { ...a, data: bytes('12345678') };
  t.equal(weightsOf(safetensors({ 'bé "x"': b, a: other }, { metadata: { format: 'pt' } })).fingerprint, expected);
  for (const changed of [
    { a: { ...a, shape: [2, 1] }, 'bé "x"': b },
    { a: { ...a, dtype: 'I32' }, 'bé "x"': b },
    { aa: a, 'bé "x"': b },
    { a, 'bé "x"': b, c: b },
  ]) {
    t.not(weightsOf(safetensors(changed)).fingerprint, expected);
  }
});

t.test('a checkpoint has the fingerprint of the safetensors file that it becomes', async (t) => {
  const data = new Uint8Array(noise(64).buffer);
  const torch = weightsOf(torchZip({ w: { storage: 'FloatStorage', shape: [2, 32], data } }));
  const same = weightsOf(safetensors({ w: { dtype: 'F32', shape: [2, 32], data } }));
  t.equal(torch.fingerprint, same.fingerprint);
  t.match(torch, { tensors: 1, parameters: 64, dtypes: { F32: { tensors: 1, parameters: 64 } } });
  t.match(torch.assessment, 'only the structure was read');
});

t.test('GGUF shapes are told slowest dimension first, blocks of integers by structure only', async (t) => {
  const file = gguf({
    tensors: [
      { name: 'blk.0.w', dims: [32, 2], type: 8, data: new Uint8Array(68) },
      { name: 'blk.1.w', dims: [32, 2], type: 8, data: new Uint8Array(68) },
    ],
  });
  const weights = weightsOf(file);
  t.equal(weights.fingerprint, sha256('"blk.0.w" Q8_0 [2,32]\n"blk.1.w" Q8_0 [2,32]\n'));
  t.same(weights.groups, [{ tensors: 'blk.*.w Q8_0 [2,32]', count: 2 }]);
  t.match(weights.assessment, 'only the structure was read');

  const words = noise(2048);
  words[5] = Number.NaN;
  const plain = gguf({ tensors: [{ name: 'w', dims: [32, 64], type: 0, data: new Uint8Array(words.buffer) }] });
  const report = reportOf(plain);
  t.same(rules(report), ['weights.non-finite']);
  t.ok(
    Number.isNaN(Buffer.from(plain).readFloatLE(report.findings[0]?.where.offset)),
    'the offset is that of the value',
  );
});

t.test('adapters tell their ranks, modules and scale', async (t) => {
  const low = (rank: number): TensorSpec => ({ dtype: 'F32', shape: [rank, 4], data: new Uint8Array(rank * 16) });
  const peft = safetensors({
    'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': low(8),
    'base_model.model.model.layers.1.self_attn.q_proj.lora_A.default.weight': low(8),
    'base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight': low(16),
    'base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight': low(3),
  });
  t.same(weightsOf(peft).adapter, {
    kind: 'lora',
    matrices: 3,
    ranks: [8, 16],
    modules: ['q_proj', 'v_proj'],
    layers: { count: 2, first: 0, last: 1 },
  });
  const kohya = safetensors(
    {
      'lora_unet_down_blocks_0_to_q.lora_down.weight': low(4),
      'lora_unet_down_blocks_1_to_q.lora_down.weight': low(4),
    },
    { metadata: { ss_network_alpha: '32.0' } },
  );
  t.match(weightsOf(kohya).adapter, { ranks: [4], modules: ['lora_unet_down_blocks_*_to_q'], alpha: 32 });
  const llama = gguf({
    tensors: [{ name: 'blk.0.attn_q.weight.lora_a', dims: [32, 4], type: 0, data: new Uint8Array(512) }],
  });
  t.match(weightsOf(llama).adapter, { ranks: [4], modules: ['attn_q'] });
  t.equal(weightsOf(safetensors({ a: low(4) })).adapter, undefined);
});

t.test('how much an adapter changes each module is estimated, and one that stands out is told', async (t) => {
  const scaled = (rows: number, columns: number, size: number): TensorSpec => ({
    dtype: 'F32',
    shape: [rows, columns],
    data: new Uint8Array(noise(rows * columns).map((value) => value * size).buffer),
  });
  const adapter = (sizes: readonly number[]): Uint8Array =>
    safetensors(
      Object.fromEntries(
        sizes.flatMap((size, layer) => [
          [`layers.${layer}.q_proj.lora_A.weight`, scaled(4, 64, 1)],
          [`layers.${layer}.q_proj.lora_B.weight`, scaled(64, 4, size)],
        ]),
      ),
    );
  const even = reportOf(adapter([1, 1, 1.2, 1, 0, 1, 0.9, 1]));
  t.same(rules(even), []);
  const root = Math.hypot(...noise(256)) / 16;
  const { updates } = weightsOf(adapter([1, 1, 1.2, 1, 0, 1, 0.9, 1]));
  t.match(updates, { measured: 8, untouched: 1, outliers: undefined });
  t.ok(Math.abs(updates.median / (root * root * Math.sqrt(4)) - 1) < 0.01, 'the size is that of two random matrices');
  const odd = reportOf(adapter([1, 1, 1.2, 40, 1, 1, 0.9, 1]));
  t.same(
    odd.findings.map(({ rule, severity, evidence }) => [rule, severity, evidence]),
    [['weights.adapter-outlier', 'info', 'layers.3.q_proj']],
  );
  t.ok(passes(odd));
  t.match(weightsOf(adapter([1, 1, 1.2, 40, 1, 1, 0.9, 1])).updates.outliers, [
    { module: 'layers.3.q_proj', times: 40 },
  ]);
  t.same(rules(reportOf(adapter([1, 40]))), [], 'of two modules none stands out');
  t.equal(weightsOf(adapter([1, 1])).samples, undefined, 'an adapter is not compared with its base by values');
});

t.test(
  'samples are the same for the same names in any order and in shards, and differ where the bytes do',
  async (t) => {
    const names = Array.from({ length: 40 }, (_, layer) =>
      ['self_attn.q_proj', 'mlp.up_proj', 'input_layernorm'].map((name) => `model.layers.${layer}.${name}.weight`),
    ).flat();
    const all = [...names, 'model.embed_tokens.weight', 'lm_head.weight'];
    const fileOf = (chosen: readonly string[]): Uint8Array =>
      safetensors(Object.fromEntries(chosen.map((name) => [name, matrix(noise(64))])));
    const sampled = (chosen: readonly string[]): string[] =>
      weightsOf(fileOf(chosen)).samples.map(({ name }: { name: string }) => name);
    const whole = sampled(all);
    t.equal(whole.length, 32);
    t.same(sampled(all.toReversed()).toSorted(), whole.toSorted());
    for (const part of ['embed_tokens', 'lm_head', 'q_proj', 'up_proj', 'layernorm']) {
      t.ok(
        whole.some((name) => name.includes(part)),
        part,
      );
    }
    const shards = [...sampled(all.slice(0, 61)), ...sampled(all.slice(61))];
    const shared = whole.filter((name) => shards.includes(name));
    t.ok(shared.length >= 24, `${shared.length} of 32 are found in the shards`);

    const [one] = weightsOf(safetensors({ w: matrix(noise(64)) })).samples;
    t.match(one, { name: 'w', dtype: 'F32', elements: 64, digest: /^[0-9a-f]{16}$/ });
    t.equal(one.numbers.length, 8);
    t.equal(one.numbers[1], Number((noise(64)[8] ?? 0).toPrecision(6)));
    const [other] = weightsOf(safetensors({ w: matrix(noise(64).with(63, 0.5)) })).samples;
    t.not(other.digest, one.digest);
    const bfloat = Uint16Array.from([0x3f80, 0xc000, 0x3e80, 0x0000, 0x0001, 0x7f80, 0x7fc0, 0x42c8]);
    const [narrow] = weightsOf(
      safetensors({ w: { dtype: 'BF16', shape: [8], data: new Uint8Array(bfloat.buffer) } }),
    ).samples;
    t.same(narrow.numbers, [1, -2, 0.25, 0, 9.18355e-41, null, null, 100]);
    const [half] = weightsOf(
      safetensors({ w: { dtype: 'F16', shape: [2], data: Uint8Array.of(0x00, 0x3c, 0x01, 0x80) } }),
    ).samples;
    t.same(half.numbers, [1, -5.96046e-8]);
  },
);

t.test('odd numbers are told as information, and no honest file is called clean', async (t) => {
  const doubles = Float64Array.from(noise(2048));
  t.same(rules(reportOf(safetensors({ a: matrix(noise(2048)), b: matrix(doubles, 'F64') }))), []);
  for (const honest of [sixteen('F16', 0x2c00), sixteen('BF16', 0x3d00)]) {
    t.same(rules(reportOf(safetensors({ honest }))), [], honest.dtype);
  }
  const withOdd = (value: number): Float32Array => noise(2048).with(9, value);
  const CASES: Readonly<Record<string, readonly [string, TensorSpec]>> = {
    'NaN in F32': ['weights.non-finite', matrix(withOdd(Number.NaN))],
    'infinity in F32': ['weights.non-finite', matrix(withOdd(-Infinity))],
    'infinity in F64': ['weights.non-finite', matrix(doubles.with(500, Infinity), 'F64')],
    'NaN in F16': ['weights.non-finite', sixteen('F16', 0x2c00, 0x7e00)],
    'infinity in BF16': ['weights.non-finite', sixteen('BF16', 0x3d00, 0xff80)],
    'NaN in E4M3': ['weights.non-finite', { dtype: 'F8_E4M3', shape: [2], data: Uint8Array.of(0x7e, 0xff) }],
    'infinity in E5M2': ['weights.non-finite', { dtype: 'F8_E5M2', shape: [2], data: Uint8Array.of(0x3c, 0xfc) }],
    'a million in F32': ['weights.magnitude', matrix(withOdd(-2_000_000))],
    'a million in BF16': ['weights.magnitude', sixteen('BF16', 0x3d00, 0x4980)],
    'one number': ['weights.constant', matrix(new Float32Array(2048).fill(0.25))],
  };
  for (const [name, [rule, spec]] of Object.entries(CASES)) {
    const report = reportOf(safetensors({ before: matrix(noise(2048)), spec }));
    t.same(
      report.findings.map((finding) => [finding.rule, finding.severity, finding.evidence]),
      [[rule, 'info', 'spec']],
      name,
    );
    t.ok(passes(report), name);
    t.match(report.findings[0]?.message, /1 of 2 tensors .* low confidence/, name);
    t.match(weightsOf(safetensors({ spec })).assessment, 'weak static evidence', name);
  }
  const biases = { dtype: 'F32', shape: [2048], data: new Uint8Array(8192) };
  t.same(rules(reportOf(safetensors({ biases }))), [], 'biases begin as zeros');
  const { assessment } = weightsOf(safetensors({ biases }));
  t.equal(assessment, 'no static evidence of poisoning; confidence: low, 4096 of 8192 bytes of floats were read');
});

t.test('what is read of values is bounded, and nothing is read of a remote file', async (t) => {
  const of = (dtype: string): Uint8Array =>
    safetensors(Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`t${at}.w`, matrix(noise(8192), dtype)])));
  const inspected = (file: Uint8Array, provisional: boolean) => {
    let read = 0;
    const source = {
      size: file.length,
      read(offset: number, length: number): Uint8Array {
        read += length;
        return file.subarray(offset, offset + length);
      },
    };
    return { ...inspect(source, { provisional }), read };
  };
  const [floats, integers] = [of('F32'), of('I32')];
  const here = inspected(floats, false);
  t.equal(here.read - inspected(integers, false).read, 131_072);
  t.match(here.details?.['weights'], {
    sampled: { tensors: 32, of: 400, bytes: 131_072 },
    groups: [{ tensors: 't*.w F32 [256,32]', count: 400 }],
  });
  const remote = inspected(floats, true);
  t.equal(remote.read, inspected(integers, true).read);
  t.match(remote.details?.['weights'], { sampled: undefined, assessment: /only the structure/ });
});

t.test('of more tensors than any model has, only the number is told', async (t) => {
  const scalar = { dtype: 'U8', shape: [], elements: 1 };
  const many = (count: number) =>
    describeStructure(Array.from({ length: count }, (_, at) => ({ ...scalar, name: `${at}` })));
  t.same(many(200_001), { tensors: 200_001, parameters: 200_001 });
  t.match(many(2), { fingerprint: sha256('"0" U8 []\n"1" U8 []\n'), groups: [{ tensors: '* U8 []', count: 2 }] });
});

t.test('a report of any structure stays small and crosses the wall of the sandbox', async (t) => {
  const shapes = Array.from({ length: 3000 }, (_, at) => [`\u{1f600}${'x'.repeat(at % 300)}${at}`, at] as const);
  const tensors = shapes.map(([name, at]) => [
    name,
    { dtype: 'U8', shape: [at, ...Array(40).fill(1)], data: new Uint8Array(at) },
  ]);
  const file = safetensors(Object.fromEntries(tensors));
  const report = inspect(fromBytes(file));
  t.equal(report.coverage.state, 'complete', report.coverage.reason);
  t.match(report.details?.['weights'], { tensors: 3000, moreGroups: Number });
  t.ok(JSON.stringify(report.details).length < 60_000);
  t.doesNotThrow(() => readReport(JSON.stringify(report), file.length));
});
