import t from 'tap';
import { extension, map, type Packable, pack, raw } from '../support/msgpack-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';

const array = (shape: readonly number[], type: string, data: Uint8Array): Packable =>
  extension(1, pack([shape, type, data]));
const parameters = (kernel: Packable): Uint8Array =>
  pack(map({ params: map({ dense: map({ kernel, bias: array([2], 'bfloat16', new Uint8Array(4)) }) }) }));
const honest = parameters(array([2, 2], 'float32', new Uint8Array(16)));
const pickle = bytes([0x80, 4], 'cos\nsystem\nX', [1, 0, 0, 0], 'x', [0x85], 'R.');

t.test('parameters pass', async (t) => {
  const report = reportOf(honest);
  t.match(report, { format: 'flax', content: 'inert', details: { arrays: 2 } });
  t.ok(passes(report));
  t.same(report.findings, []);
  const state = pack(
    map({
      step: 70000,
      negative: raw([0xd1, 0xff, 0x00]),
      huge: raw([0xcf, 255, 255, 255, 255, 255, 255, 255, 255]),
      nothing: null,
      flag: true,
      rate: raw([0xcb, 0, 0, 0, 0, 0, 0, 0, 0]),
      complex: extension(2, pack([raw([0xcb], new Uint8Array(8)), 0])),
      scalar: extension(3, pack([[], 'int64', new Uint8Array(8)])),
      parts: ['a', 'b'],
      time: extension(-1, new Uint8Array(8)),
      many: map(Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, index]))),
    }),
  );
  t.ok(passes(reportOf(state)));
});

const DOUBTED: Readonly<Record<string, readonly [string, Uint8Array]>> = {
  'an extension of others': ['flax.extension', parameters(extension(99, pickle))],
  'an extension of others with anything': ['flax.extension', parameters(extension(5, bytes('abc')))],
  'a key twice': ['flax.duplicate-key', pack(raw([0x82], pack('a'), [1], pack('a'), [2]))],
  'a key twice in two types': ['flax.duplicate-key', pack(raw([0x82], pack('a'), [1], pack(Uint8Array.of(0x61)), [2]))],
  'an object array of msgpack-numpy': [
    'flax.object-array',
    pack(map({ a: map({ nd: true, type: '|O', kind: 'O', data: pickle }) })),
  ],
  'a type that is not known': ['flax.malformed', parameters(array([1], 'object', new Uint8Array(8)))],
  'a shape that does not fit': ['flax.malformed', parameters(array([3], 'float32', new Uint8Array(8)))],
  'a shape beyond numbers': [
    'flax.malformed',
    parameters(
      array(
        Array.from({ length: 9 }, () => 4294967295),
        'float32',
        new Uint8Array(8),
      ),
    ),
  ],
  'bytes behind': ['flax.malformed', bytes(honest, [0xc0])],
  'a count beyond the file': ['flax.limit', bytes([0x81], pack('params'), [0xdf, 0x7f, 0xff, 0xff, 0xff])],
  'too deep': ['flax.limit', bytes([0x81], pack('params'), new Uint8Array(5000).fill(0x91), [1])],
  'the byte that begins nothing': ['flax.malformed', bytes([0x81], pack('params'), [0xc1])],
  'text that is not UTF-8': ['flax.malformed', bytes([0x81], pack('params'), [0xa1, 0xff])],
};

t.test('what Flax does not write is refused or held', async (t) => {
  for (const [name, [rule, content]] of Object.entries(DOUBTED)) {
    const report = reportOf(content);
    t.ok(rules(report).includes(rule), `${name}: ${rules(report)}`);
    t.notOk(passes(report), name);
  }
});

t.test('keys by which Python builds objects are told', async (t) => {
  t.same(rules(reportOf(pack(map({ params: map({ __reduce__: 1 }) })))), ['flax.odd-key']);
  t.same(rules(reportOf(pack(map({ __msgpack_chunked_array__: true, shape: [1] })))), []);
});

t.test('a pickle among the bytes is what it is', async (t) => {
  const report = reportOf(pack(map({ params: pickle })));
  t.equal(report.content, 'active');
  t.ok(['high', 'critical'].includes(worst(report)));
});

t.test('cut and turned files end in a report', async (t) => {
  for (const part of truncations(honest)) t.notOk(passes(reportOf(part)), `${part.length} bytes`);
  for (const turned of bitFlips(honest, 500, 11)) t.equal(reportOf(turned).coverage.bytesTotal, honest.length);
});
