import t from 'tap';
import { bitFlips, bytes, passes, reportOf, rules, truncations } from '../support/reports.ts';

const u32 = (...values: number[]): Uint8Array => {
  const out = new Uint8Array(4 * values.length);
  for (const [index, value] of values.entries()) new DataView(out.buffer).setUint32(4 * index, value, true);
  return out;
};
const u64 = (...values: number[]): Uint8Array =>
  bytes(...values.map((value) => u32(value % 2 ** 32, Math.floor(value / 2 ** 32))));

/** One dense array of version 2. */
const array = (shape: readonly number[], type: number, size: number): Uint8Array =>
  bytes(u32(0xf993fac9, 0, shape.length), u64(...shape), u32(1, 0, type), new Uint8Array(size));
const named = (...names: string[]): Uint8Array =>
  bytes(u64(names.length), ...names.map((name) => bytes(u64(name.length), name)));
const params = (...parts: Uint8Array[]): Uint8Array => bytes(u64(0x112, 0), ...parts);
const honest = params(u64(2), array([2, 2], 0, 16), array([3], 3, 3), named('arg:w', 'aux:m'));
const sparse = params(
  u64(1),
  bytes(u32(0xf993fac9, 1, 2), u64(1, 2), u32(2), u64(4, 2), u32(1, 0, 0), u32(6, 1), u64(1), new Uint8Array(8 + 8)),
  named('arg:rows'),
);

t.test('MXNet parameters pass', async (t) => {
  for (const content of [honest, sparse, params(u64(1), bytes(u32(0xf993fac9, 0, 0)), u64(0))]) {
    const report = reportOf(content);
    t.equal(report.format, 'mxnet-params');
    t.ok(passes(report), JSON.stringify(report.findings));
  }
});

t.test('MXNet counts and shapes that lie are refused', async (t) => {
  const wrong = {
    'a giant count': params(u64(2 ** 60)),
    'a shape beyond the file': params(u64(1), array([2 ** 40, 2 ** 40], 0, 4), named('a')),
    'a negative dimension': params(u64(1), array([2 ** 52 * 2048 * 1.5], 0, 4), named('a')),
    'an unknown type': params(u64(1), array([1], 99, 4), named('a')),
    'an unknown storage': params(u64(1), bytes(u32(0xf993fac9, 7, 1), u64(1)), named('a')),
    'an unknown version': params(u64(1), bytes(u32(0x12345678, 0, 1), u64(1)), named('a')),
    'fewer names than arrays': params(u64(2), array([1], 0, 4), array([1], 0, 4), named('a')),
    'bytes behind': bytes(honest, 'x'),
    'a name without end': params(u64(1), array([1], 0, 4), u64(1, 2 ** 40)),
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'mxnet-params', name);
    t.notOk(passes(report), name);
  }
});

const word = (text: string, score = false): Uint8Array =>
  bytes(u32(text.length), text, score ? new Uint8Array(4) : new Uint8Array());
const tensor = (name: string, shape: readonly number[], type: number, size: number, before = -1): Uint8Array => {
  const start = bytes(u32(shape.length, name.length, type, ...shape), name);
  const gap = before < 0 ? 0 : (32 - ((before + start.length) % 32)) % 32;
  return bytes(start, new Uint8Array(gap), new Uint8Array(size));
};
const numbers = (words: number, count: number): Uint8Array => u32(words, ...Array.from({ length: count - 1 }, () => 4));
const llama = bytes('lmgg', numbers(2, 7), word('a'), word('b'), tensor('w', [4, 2], 0, 32));
const gpt2 = bytes('lmgg', numbers(2, 6), u32(2), word('a'), word('b'), tensor('w', [32, 2], 1, 128));
/** Four-bit blocks as they were before version 2. */
const old = bytes('lmgg', numbers(1, 7), word('a'), tensor('w', [32, 2], 2, 40));
const ggmf = bytes('fmgg', u32(1), numbers(1, 7), word('a', true), tensor('w', [4], 1, 8));
const before = bytes('tjgg', u32(3), numbers(1, 7), word('a', true));
const ggjt = bytes(before, tensor('w', [32], 2, 18, before.length));
const lora = bytes('algg', u32(1, 8, 16), tensor('w.loraA', [4], 0, 16, 16));
const whisper = bytes(
  'lmgg',
  numbers(3, 11),
  u32(2, 2),
  new Uint8Array(16),
  u32(2),
  word('a'),
  word('b'),
  tensor('w', [4], 0, 16),
);

t.test('GGML files of all ages pass', async (t) => {
  for (const [name, content] of Object.entries({ llama, gpt2, old, ggmf, ggjt, lora, whisper })) {
    const report = reportOf(content);
    t.equal(report.format, 'ggml', name);
    t.ok(passes(report), `${name}: ${JSON.stringify(report.findings)}`);
  }
});

t.test('GGML counts that lie are refused', async (t) => {
  const wrong = {
    'a giant vocabulary': bytes('lmgg', u32(0x7fffffff, 512, 32, 4, 1, 64, 0)),
    'a vocabulary beyond the file': bytes('lmgg', numbers(90_000, 7), word('a')),
    'a word without end': bytes('lmgg', numbers(1, 7), u32(0xffffffff), 'a'),
    'a version that is none': bytes('tjgg', u32(9), new Uint8Array(40)),
    'a tensor beyond the file': bytes('fmgg', u32(1), numbers(0, 7), tensor('w', [4096, 4096], 0, 8)),
    'a shape beyond numbers': bytes(
      'fmgg',
      u32(1),
      numbers(0, 7),
      tensor('w', [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], 0, 8),
    ),
    'a type that is none': bytes('fmgg', u32(1), numbers(0, 7), tensor('w', [4], 99, 16)),
    'half a block': bytes('fmgg', u32(1), numbers(0, 7), tensor('w', [33], 2, 40)),
    'five dimensions': bytes('fmgg', u32(1), numbers(0, 7), tensor('w', [1, 1, 1, 1, 1], 0, 4)),
    'no tensors': bytes('fmgg', u32(1), numbers(0, 7)),
    'bytes behind': bytes(llama, 'x'),
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'ggml', name);
    t.notOk(passes(report), name);
  }
});

t.test('compiled engines and closed formats are opaque and say what they are', async (t) => {
  const marks = ['ptrt', 'ftrt', 'RKNN', 'B\0C\0N\0', '\0B<Nnet'];
  const files = [
    ...marks.map((mark) => bytes(mark, new Uint8Array(60))),
    bytes('4\n1\n3\nV 1\n17\ntorch.FloatTensor\n'),
  ];
  for (const content of files) {
    const report = reportOf(content);
    t.equal(report.coverage.state, 'opaque', report.format);
    t.notOk(passes(report));
  }
  t.match(reportOf(bytes('ftrt', new Uint8Array(60))).coverage.reason, /TensorRT/);
  for (const text of ['Ixodes are ticks\n', 'binford tools\n', 'CBM1 is a mark\n']) t.ok(passes(reportOf(text)), text);
});

t.test('Java streams are active, alone and in archives', async (t) => {
  const report = reportOf(bytes([0xac, 0xed, 0, 5], 'sr', new Uint8Array(20)));
  t.equal(report.content, 'active');
  t.same(rules(report), ['java-serialized.stream']);
});

t.test('cut and turned files end in a report', async (t) => {
  for (const [name, whole] of Object.entries({ honest, sparse, llama, gpt2, ggjt, whisper })) {
    for (const part of truncations(whole))
      if (part.length > 16)
        t.notOk(passes(reportOf(part)), `${name} ${part.length} bytes ${JSON.stringify(reportOf(part).details)}`);
    for (const turned of bitFlips(whole, 200, 19)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
  }
});
