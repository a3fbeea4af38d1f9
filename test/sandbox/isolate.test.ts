import fc from 'fast-check';
import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import type { Json } from '../../src/formats/format.ts';
import { packages } from '../../src/formats/packages.ts';
import { bundleFor, bundleParsers } from '../../src/sandbox/bundle.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { samples } from '../formats/samples/index.ts';

const SEED = 20_261_123;

/** Runs the body of `(read, size) => details` in an isolate and gives what it returns. */
const inIsolate = async (script: string, bytes = Buffer.from('abc')): Promise<{ [key: string]: Json } | undefined> => {
  const sandbox = await createSandbox(
    { workers: 1, memory: 256 * MIB, timeout: 10_000, require: 'isolate' },
    { parsers: script },
  );
  try {
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    const report = await sandbox.inspect({ size: bytes.length, read });
    if (report.format !== 'probe') throw new Error(report.coverage.reason);
    return report.details;
  } finally {
    await sandbox.close();
  }
};
const probe = (details: string): string => `
globalThis.inspectFile = (read, size) => JSON.stringify({ format: 'probe', content: 'inert', findings: [],
  coverage: { state: 'complete', bytesInspected: size, bytesTotal: size, reason: '' }, details: ${details} });`;

t.test('an isolate has the language, one function, and nothing to make code or reach out with', async (t) => {
  const names = [
    ...['require', 'process', 'fetch', 'Buffer', 'module', 'setTimeout', 'queueMicrotask', 'performance', 'crypto'],
    ...['console', 'WebAssembly', 'eval', 'Function', 'Atomics', 'SharedArrayBuffer', 'ShadowRealm', 'ivm'],
  ];
  const makers = [
    '() => {}',
    'async () => {}',
    'function* () {}',
    'async function* () {}',
    'class {}',
    'read',
    'Object',
    'Array.prototype.map',
    '(() => {}).bind()',
    'Proxy',
    'Object.getOwnPropertyDescriptor(Object.prototype, "__proto__").get',
    'inspectFile',
  ];
  const details = await inIsolate(
    probe(`{
      globals: Object.getOwnPropertyNames(globalThis).sort(),
      present: ${JSON.stringify(names)}.filter((name) => name in globalThis),
      makers: [${makers.join(', ')}].map((sample) => {
        try { return typeof (0, sample.constructor)('return 7')(); } catch (error) { return error.name; }
      }),
      prototypes: [${makers.join(', ')}].map((sample) => typeof Object.getPrototypeOf(sample).constructor),
      readIs: [typeof read, Object.getOwnPropertyNames(read).sort().join(), Object.getPrototypeOf(read) === Object.getPrototypeOf(() => {})],
      bytes: [...read(1, 2)],
      bytesAre: Object.getPrototypeOf(read(1, 2)) === Uint8Array.prototype,
      thrown: (() => { try { read(1, 99) } catch (error) {
        try { return typeof error.constructor.constructor('return this')() } catch (inner) { return inner.name } } })(),
    }`),
  );
  t.same(details?.['present'], []);
  t.same(
    details?.['makers'],
    makers.map(() => 'TypeError'),
    'no function leads to a constructor of functions',
  );
  t.notMatch(details?.['prototypes'], ['function']);
  t.match(details?.['readIs'], ['function', /^[a-z,]*$/, true]);
  t.same(details?.['bytes'], [98, 99]);
  t.equal(details?.['bytesAre'], true, 'bytes belong to the isolate');
  t.equal(details?.['thrown'], 'TypeError', 'a thrown error does not lead out');
  t.match(details?.['globals'], [/^[A-Za-z]+$/]);
  await t.rejects(inIsolate(probe("{ name: typeof import('node:fs') }")), /Not supported/, 'no dynamic import');
});

t.test('an isolate starts fresh: nothing of one file is left for the next', async (t) => {
  const sandbox = await createSandbox(
    { workers: 1, memory: 64 * MIB, timeout: 10_000, require: 'isolate' },
    {
      parsers: `globalThis.seen = 0;${probe('{ seen: (Array.prototype.tainted = (Array.prototype.tainted ?? 0) + 1) + seen++ }')}`,
    },
  );
  t.teardown(() => sandbox.close());
  for (let turn = 0; turn < 5; turn++) {
    t.match(await sandbox.inspect({ size: 1, read: async () => new Uint8Array(1) }), { details: { seen: 1 } });
  }
});

t.test('the warm-up leaves compiled code and nothing else', async (t) => {
  const tainting = `globalThis.count = 0; globalThis.warmUp = () => {
    globalThis.count++; globalThis.tainted = true; Array.prototype.tainted = true; globalThis.eval = () => {}; };`;
  const details = await inIsolate(
    `${tainting}${probe(`{
      count, tainted: 'tainted' in globalThis || 'tainted' in [],
      present: ['eval', 'Function', 'WebAssembly'].filter((name) => name in globalThis),
    }`)}`,
  );
  t.same(details, { count: 0, tainted: false, present: [] }, 'it runs in a context of its own');

  const options = { workers: 1, memory: 256 * MIB, timeout: 10_000, require: 'isolate' } as const;
  const warm = await createSandbox(options);
  const cold = await createSandbox(options, { parsers: `${await bundleParsers()};delete globalThis.warmUp;` });
  t.teardown(() => Promise.all([warm.close(), cold.close()]));
  let compared = 0;
  for (const { format, accept } of samples) {
    const bytes = Object.values(accept)[0]?.();
    if (bytes === undefined) continue;
    const source = { size: bytes.length, read: async (at: number, length: number) => bytes.subarray(at, at + length) };
    const [expected, got] = await Promise.all([cold.inspect(source), warm.inspect(source)]);
    if (JSON.stringify(got) !== JSON.stringify(expected)) t.same(got, expected, format);
    compared += 1;
  }
  t.ok(compared > 50, `${compared} reports are the same`);
});

t.test('a file is read in few pieces, a remote one in fewer', async (t) => {
  const script = `globalThis.inspectFile = (() => { ${await bundleFor('isolate', {
    text: "import { overRanges } from './isolate/ranges.ts'; globalThis.overRanges = overRanges;",
  })} return (read, size, options) => {
    const source = overRanges(size, read, JSON.parse(options).provisional);
    let wrong = 0;
    const check = (at, length) => { const bytes = source.read(at, length);
      if (bytes.length !== length || bytes.some((byte, index) => byte !== (((at + index) >> 8) & 255))) wrong++; };
    for (let at = 0; at + 10 <= 1 << 20; at += 4096) check(at, 10);
    for (let at = 2 << 20; at + 10 <= size; at += 512 << 10) check(at, 10);
    check(size - 30, 30); check(size - 70_000, 10); check((1 << 20) - 9, 300_000);
    return JSON.stringify({ format: 'probe', content: 'inert', findings: [],
      coverage: { state: 'complete', bytesInspected: size, bytesTotal: size, reason: '' }, details: { wrong } }); }; })();`;
  const sandbox = await createSandbox(
    { workers: 1, memory: 256 * MIB, timeout: 10_000, require: 'isolate' },
    { parsers: script },
  );
  t.teardown(() => sandbox.close());
  const size = 8 * MIB + 100;
  const weigh = async (provisional: boolean) => {
    const reads: number[] = [];
    const read = async (offset: number, length: number) => {
      reads.push(length);
      return Uint8Array.from({ length }, (_, index) => ((offset + index) >> 8) & 255);
    };
    const { details } = await sandbox.inspect({ size, read }, { provisional });
    t.same(details, { wrong: 0 });
    return reads;
  };
  const local = await weigh(false);
  t.equal(local[0], 16 * 1024, 'where it jumps to a little is read');
  t.ok(local.includes(256 * 1024), 'where it reads on more and more');
  t.ok(local.length < 30, `${local.length} reads`);
  const remote = await weigh(true);
  t.ok(remote.length < 22, `${remote.length} reads`);
  t.ok(remote.every((length) => length >= 256 * 1024));
});

t.test('every package that parsers may import evaluates in a bare isolate', async (t) => {
  t.ok(packages.length > 0);
  const shim = "import './isolate/text.ts';";
  const imports = packages.map((name, index) => `import * as p${index} from '${name}';`).join('');
  const exported = packages.map((_, index) => `Object.keys(p${index}).length`).join(',');
  const script = await bundleFor('isolate', { text: `${shim}${imports}${probe(`{ exported: [${exported}] }`)}` });
  const details = await inIsolate(script);
  t.match(details?.['exported'], { length: packages.length });
  for (const [index, count] of Object.values(details?.['exported'] ?? {}).entries()) {
    t.ok(Number(count) > 0, `${packages[index]} exports ${count} names`);
  }
});

t.test('the decoders for isolates say what the standard ones say', async (t) => {
  const native = { TextDecoder, TextEncoder, atob };
  await import('../../src/sandbox/isolate/text.ts');
  const ours = { TextDecoder: globalThis.TextDecoder, TextEncoder: globalThis.TextEncoder, atob: globalThis.atob };
  Object.assign(globalThis, native);
  t.not(ours.TextDecoder, native.TextDecoder);

  const outcome = (decode: () => string): string => {
    try {
      return `text ${decode()}`;
    } catch {
      return 'refused';
    }
  };
  // Bytes around the borders of UTF-8 sequences come up often enough to meet every branch.
  const borders = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbb, 0xbf, 0xc0, 0xc1, 0xc2, 0xd8, 0xdc, 0xdf];
  const more = [0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xfe, 0xff];
  const byte = fc.oneof(fc.constantFrom(...borders, ...more), fc.integer({ min: 0, max: 255 }));
  const bytes = fc.array(byte, { maxLength: 24 }).map((all) => Uint8Array.from(all));
  const options = fc.record({ fatal: fc.boolean(), ignoreBOM: fc.boolean() });
  const label = fc.constantFrom('utf-8', 'utf8', 'UTF-8 ', 'utf-16le', 'utf-16');
  fc.assert(
    fc.property(bytes, options, label, (input, how, name) => {
      const expected = outcome(() => new native.TextDecoder(name, how).decode(input));
      const got = outcome(() => new ours.TextDecoder(name, how).decode(input));
      return expected === got;
    }),
    { seed: SEED, numRuns: 20_000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
      const [expected, got] = [new native.TextEncoder().encode(text), new ours.TextEncoder().encode(text)];
      return (
        Buffer.compare(expected, got) === 0 &&
        new ours.TextDecoder().decode(got) === new native.TextDecoder().decode(got)
      );
    }),
    { seed: SEED, numRuns: 3000 },
  );
  const base64 = fc.string({ unit: fc.constantFrom(...'ABab01+/= \n-'), maxLength: 12 });
  fc.assert(
    fc.property(base64, (text) => outcome(() => native.atob(text)) === outcome(() => ours.atob(text))),
    { seed: SEED, numRuns: 5000 },
  );
  const long = new native.TextEncoder().encode('aé€😀'.repeat(10_000));
  t.equal(new ours.TextDecoder().decode(long), 'aé€😀'.repeat(10_000));
  t.equal(new ours.TextEncoder().encode('\ud800x').join(), new native.TextEncoder().encode('\ud800x').join());
  t.throws(() => new ours.TextDecoder('shift_jis'), RangeError);
  t.throws(() => new ours.TextDecoder().decode(long, { stream: true }), TypeError);
});
