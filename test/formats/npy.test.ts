import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { isFault } from '../../src/errors.ts';
import type { Report } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { readNpyHeader } from '../../src/formats/npy.ts';
import { parseLiteral } from '../../src/formats/python-literal.ts';
import { assemble, op, type Piece, pickled, text } from '../support/pickle-assembler.ts';
import { array, payload, randomFrom } from '../support/pickle-weigh.ts';

/** An npy file of the given header text (padded as numpy does) and data. */
const file = (header: string, data: Piece = '', version = 1): Uint8Array => {
  const length = new TextEncoder().encode(header).length + 1;
  const size =
    version === 1 ? Uint8Array.of(length & 255, length >> 8) : Uint8Array.of(length & 255, length >> 8, 0, 0);
  return assemble('\x93NUMPY', Uint8Array.of(version, 0), size, new TextEncoder().encode(`${header}\n`), data);
};
const header = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }   `;
const weigh = (bytes: Uint8Array): Report => inspect(fromBytes(bytes));

t.test('headers of every version and type are read', async (t) => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["'<f4'", '(3, 4)', 48],
    ["'|S3'", '(5,)', 15],
    ["'<U4'", '(2,)', 32],
    ["'|b1'", '()', 1],
    ["'<M8[ns]'", '(2,)', 16],
    ["'>c16'", '(0, 7)', 0],
    ["[('a', '<i4'), ('b', '<f8', (2, 2))]", '(3,)', 108],
    ["[(('title', 'x'), '|u1'), ('n', [('y', '<i2')])]", '(2,)', 6],
    ["('<i2', (3,))", '(2,)', 12],
  ];
  for (const [descr, shape, length] of cases) {
    for (const version of [1, 2, 3]) {
      const bytes = file(header(descr, shape), new Uint8Array(length), version);
      const read = readNpyHeader(fromBytes(bytes), 0);
      t.same(
        [read.dataLength, read.dataOffset + length, read.version, read.fortran],
        [length, bytes.length, version, false],
        descr,
      );
      const report = weigh(bytes);
      t.same([report.format, report.content, report.coverage.state, report.findings], ['npy', 'inert', 'complete', []]);
    }
  }
  t.equal(readNpyHeader(fromBytes(file(header("'<f4'", '(1L,)', 'True'))), 0).fortran, true, 'counts of Python 2');
});

t.test('headers that are not exactly that are refused', async (t) => {
  const bad = [
    "{'descr': '<f4', 'fortran_order': False}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
    header("__import__('os')", '(1,)'),
    header("'<f4'", '(-1,)'),
    header("'<f4'", '[1]'),
    header("'<f4'", '(1)'),
    header("'<q4'", '(1,)'),
    header("'<f4'", '(1,)', '0'),
    header("'<f4'", '(4294967296, 4294967296, 4)'),
    header("'<f4'", `(${'1,'.repeat(65)})`),
    `${header("'<f4'", '(1,)')} + 1`,
    '('.repeat(40),
    header("'f\\N{DIGIT FOUR}'", '(1,)'),
    '',
    header("[('a',)]", '(1,)'),
    header("('<i2', (-3,))", '(1,)'),
  ];
  for (const text of bad) {
    t.throws(
      () => readNpyHeader(fromBytes(file(text, new Uint8Array(64))), 0),
      { name: 'WeighbridgeError' },
      text.slice(0, 60),
    );
    const { content, coverage, findings } = weigh(file(text, new Uint8Array(64)));
    t.same([content, coverage.state, findings.length > 0], ['unknown', 'partial', true]);
  }
  t.throws(() => readNpyHeader(fromBytes(file(header("'<f4'", '(1,)'), '', 4)), 0), { code: 'FORMAT_INVALID' });
  t.throws(() => readNpyHeader(fromBytes(file(header("'<f4'", '(1,)').padEnd(65_400), '', 1).fill(0xff, 8, 10)), 0), {
    name: 'WeighbridgeError',
  });
  t.throws(() => parseLiteral("{'a': 1 'b': 2}"), { code: 'FORMAT_INVALID' });
  t.throws(() => parseLiteral('99999999999999999999'), { code: 'FORMAT_INVALID' });
  t.same(parseLiteral(' ("a\\x41", None, [True, -3],) '), {
    kind: 'tuple',
    items: [
      { kind: 'str', text: 'aA' },
      { kind: 'none' },
      {
        kind: 'list',
        items: [
          { kind: 'bool', value: true },
          { kind: 'int', value: -3 },
        ],
      },
    ],
  });
});

t.test('the bytes must be exactly those of shape and type', async (t) => {
  const good = file(header("'<f4'", '(2,)'), new Uint8Array(8));
  t.equal(weigh(assemble(good, good)).coverage.state, 'complete', 'arrays may follow each other');
  const tail = weigh(assemble(good, '\x7fELF'));
  t.same(
    [tail.content, tail.coverage.state, tail.findings.map(({ rule }) => rule)],
    ['unknown', 'partial', ['npy.trailing']],
  );
  for (let length = 6; length < good.length; length++)
    t.equal(weigh(good.subarray(0, length)).content, 'unknown', `cut at ${length}`);
});

t.test('arrays of objects are pickles', async (t) => {
  const objects = pickled(4, array('O', 1, assemble(op.emptyList(), op.mark(), text('a'), op.appends())));
  const good = weigh(file(header("'|O'", '(1,)'), objects));
  t.same([good.content, good.coverage.state, good.findings], ['data', 'complete', []]);
  t.equal(weigh(file(header("'|O'", '(1,)'), pickled(4, payload))).content, 'active');
  t.equal(weigh(file(header("[('a', '|O')]", '(1,)'), pickled(4, payload))).content, 'active', 'objects in a field');
  t.equal(weigh(file(header("'|O'", '(1,)'), 'no pickle')).content, 'unknown');
});

t.test('flipped bits end in a report or a typed fault', async (t) => {
  const random = randomFrom(3);
  const whole = file(
    header("[('a', '<i4'), ('b', '|O')]", '(3,)'),
    pickled(4, array('f8', 1, op.shortBinbytes(new Uint8Array(8)))),
  );
  let faults = 0;
  for (let round = 0; round < 2000; round++) {
    const copy = Uint8Array.from(whole);
    copy[6 + Math.floor(random() * (copy.length - 6))] = Math.floor(random() * 256);
    weigh(copy);
    try {
      readNpyHeader(fromBytes(copy), 0);
    } catch (error) {
      if (!isFault(error)) throw error;
      faults += 1;
    }
  }
  t.ok(faults > 500, `${faults} headers refused`);
});
