import { spawnSync } from 'node:child_process';
import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { isFault } from '../../src/errors.ts';
import { CONTENTS } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { pickle } from '../../src/formats/pickle/format.ts';
import { entriesOf, itemsOf, lookup, textOf, type Value } from '../../src/formats/pickle/values.ts';
import { assemble, op, type Piece, pickled, text } from '../support/pickle-assembler.ts';
import { compareStreams } from '../support/pickle-differential.ts';
import { accepted, array, payload, randomFrom, refused, tensor, weigh } from '../support/pickle-weigh.ts';

/** Prints what pickletools reads, one JSON line a stream; nothing is loaded. */
const ORACLE = `
import sys, json, pickletools
def show(op, arg):
    if op.name in ('STRING', 'BINSTRING', 'SHORT_BINSTRING'): return 's' + json.dumps(arg)
    if isinstance(arg, bool): return str(arg)
    if isinstance(arg, int): return str(arg)
    if isinstance(arg, float): return arg.hex()
    if isinstance(arg, str): return 's' + json.dumps(arg)
    return arg.hex()
for line in sys.stdin:
    out = {'end': 0, 'args': []}
    data = bytes.fromhex(line.strip())
    try:
        for op, arg, pos in pickletools.genops(data):
            if op.name not in ('PROTO', 'STOP', 'MARK', 'TUPLE'): out['args'].append(show(op, arg))
            if op.name == 'STOP': out['end'] = pos + 1
    except Exception as error: out['error'] = str(error)
    print(json.dumps(out))
`;

const shown = (stream: Uint8Array, value: Value): string => {
  switch (value.kind) {
    case 'bool':
      return value.value ? 'True' : 'False';
    case 'int':
      return String(value.value);
    case 'float':
      return hexFloat(value.value);
    case 'str':
      return `s${JSON.stringify(value.text).replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}`;
    case 'bytes':
      return Buffer.from(stream.subarray(value.offset, value.offset + value.length)).toString('hex');
    default:
      return value.kind;
  }
};

/** Python's float.hex(). */
const hexFloat = (value: number): string => {
  if (value === 0) return Object.is(value, -0) ? '-0x0.0p+0' : '0x0.0p+0';
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn) - 1023;
  const mantissa = (bits & 0xfffffffffffffn).toString(16).padStart(13, '0');
  return `${value < 0 ? '-' : ''}0x1.${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
};

t.test('values of every opcode are what pickletools reads', async (t) => {
  const random = randomFrom(1);
  const upTo = (n: number): number => Math.floor(random() * n);
  const word = (length: number): string =>
    Array.from({ length }, () => String.fromCodePoint([97 + upTo(26), 0xe9, 0x4e2d, 0x1f600][upTo(4)] ?? 97)).join('');
  const raw = (length: number): Uint8Array => Uint8Array.from({ length }, () => upTo(256));
  const makers: (() => Uint8Array)[] = [
    () => op.binint(upTo(2 ** 32) - 2 ** 31),
    () => op.binint1(upTo(256)),
    () => op.binint2(upTo(65536)),
    () => op.int(upTo(1e9) - 5e8),
    () => op.int('01'),
    () => op.int('00'),
    () => op.long(`${upTo(1e9)}${upTo(1e9) + 1}L`.replace(/^0+/, '')),
    () => op.long1(raw(upTo(20))),
    () => op.long4(raw(upTo(40))),
    () => op.float((random() - 0.5) * 1e9),
    () => op.binfloat(random() * 1e-9),
    () => op.string(`'a\\x41\\'\\n\\101${upTo(99)}'`),
    () => op.string('"double \\\\ \\q"'),
    () => op.unicode(`\\u4e2d plain \\\\u0041 ${upTo(99)}\\U0001f600`),
    () => op.binunicode(word(upTo(300))),
    () => op.shortBinunicode(word(upTo(40))),
    () => op.binunicode8(word(upTo(9))),
    () => op.binbytes(raw(upTo(300))),
    () => op.shortBinbytes(raw(upTo(200))),
    () => op.binbytes8(raw(upTo(9))),
    () => op.bytearray8(raw(upTo(9))),
    () => op.shortBinstring('ascii only'),
    () => op.binstring('also ascii'),
  ];
  const streams = Array.from({ length: 300 }, () =>
    pickled(
      5,
      op.mark(),
      Array.from({ length: 1 + upTo(30) }, () => (makers[upTo(makers.length)] ?? op.none)()),
      op.tuple(),
    ),
  );
  const flipped = streams.map((stream) => {
    const copy = Uint8Array.from(stream);
    const at = 2 + upTo(copy.length - 2);
    copy[at] = (copy[at] ?? 0) ^ (1 << upTo(8));
    return copy;
  });
  const oracle = spawnSync('python3', ['-I', '-c', ORACLE], {
    input: [...streams, ...flipped].map((stream) => Buffer.from(stream).toString('hex')).join('\n'),
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
  t.equal(oracle.status, 0, oracle.stderr);
  const answers: { end: number; args: string[]; error?: string }[] = oracle.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(answers.length, 600);
  for (const [at, stream] of streams.entries()) {
    const run = weigh(stream);
    t.same(
      [run.end, (itemsOf(run.value) ?? []).map((value) => shown(stream, value))],
      [answers[at]?.end, answers[at]?.args],
    );
  }
  let both = 0;
  for (const [at, stream] of flipped.entries()) {
    const run = weigh(stream);
    const answer = answers[300 + at];
    if (!run.stopped) continue;
    if (answer?.error === undefined) {
      both += 1;
      t.equal(run.end, answer?.end, 'both end at the same byte');
    } else t.match(answer.error, /ascii|utf/, 'only text that pickletools shows as ASCII is read more widely');
  }
  t.ok(both > 50, `${both} flipped streams still run`);
});

t.test('generated streams have the tokens that pickletools reads, and end where it ends', async (t) => {
  const { unexplained, stopped, refused, ran, explained } = await compareStreams(12_000, 77_000);
  t.same(unexplained, []);
  t.ok(stopped > 5000 && refused > 2000 && ran > 2000, `${stopped} to STOP, ${refused} refused, ${ran} run`);
  t.ok(explained.size > 5, 'documented differences occur');
});

t.test('a number is broken by white space that C does not know, and a break is where its opcode begins', async (t) => {
  for (const number of ['I\xa01\n', 'L\xa01L\n', 'F1\xa0\n', 'Np\xa01\n'])
    t.equal(weigh(pickled(0, number)).stopped, false);
  t.equal(weigh(assemble(op.shortBinbytes('(t.'))).end, 5, 'also when a constant before it was looked into');
});

t.test('plain values and containers come out as they went in', async (t) => {
  const stream = pickled(
    4,
    op.frame(0),
    op.emptyDict(),
    op.memoize(),
    op.mark(),
    text('list'),
    op.emptyList(),
    op.mark(),
    op.binint1(1),
    op.none(),
    op.true(),
    op.appends(),
    text('pair'),
    op.binint1(1),
    op.binfloat(0.5),
    op.tuple2(),
    text('set'),
    op.emptySet(),
    op.mark(),
    op.binint1(7),
    op.additems(),
    text('self'),
    op.binget(0),
    op.setitems(),
  );
  const { value, rules, content } = accepted(t, stream, 'tensors', 'a dict with a cycle');
  t.same(
    entriesOf(value)?.map(([key]) => textOf(key)),
    ['list', 'pair', 'set', 'self'],
  );
  t.equal(lookup(value, 'self'), value, 'the memo gives the same object');
  t.equal(itemsOf(lookup(value, 'list'))?.length, 3);
  t.same([rules, content], [[], 'tensors']);
});

t.test('names of Python 2 are mapped below protocol 3 only, as loaders do', async (t) => {
  accepted(
    t,
    pickled(2, op.global('__builtin__', 'set'), op.emptyList(), op.tuple1(), op.reduce()),
    'tensors',
    '__builtin__.set in protocol 2',
  );
  refused(
    t,
    pickled(3, op.global('__builtin__', 'set'), op.emptyList(), op.tuple1(), op.reduce()),
    'pickle.global-unknown',
  );
  const { globals } = refused(
    t,
    pickled(2, op.global('commands', 'getoutput'), text('true', 2), op.tuple1(), op.reduce()),
    'pickle.global-dangerous',
    'active',
  );
  t.same(globals, ['subprocess.getoutput']);
});

t.test('streams cut at every byte and with flipped bits end in a finding or a value, within the budget', async (t) => {
  const random = randomFrom(7);
  const whole = [
    pickled(4, tensor(), payload),
    pickled(4, array('f8', 2, op.shortBinbytes(new Uint8Array(16)))),
    pickled(2, op.mark(), op.inst('os', 'system')),
    pickled(0, op.string("'x'"), op.put(0), op.long('12L')),
  ];
  for (const stream of whole) {
    for (let length = 0; length < stream.length; length++) {
      const { stopped, content, findings } = weigh(stream.subarray(0, length));
      t.ok(!stopped && content !== 'data' && findings.length > 0, `cut at ${length}`);
    }
  }
  let runs = 0;
  for (const stream of whole) {
    for (let round = 0; round < 1500; round++) {
      const copy = Uint8Array.from(stream);
      for (let flips = 0; flips < 1 + (round % 3); flips++) {
        const at = Math.floor(random() * copy.length);
        copy[at] = Math.floor(random() * 256);
      }
      const report = inspect(fromBytes(copy), { limits: { steps: 100_000, bytesRead: 100_000_000 } });
      if (!CONTENTS.includes(report.content)) t.fail('no content');
      runs += 1;
    }
  }
  t.equal(runs, 6000);
  try {
    weigh(new Uint8Array(0));
    t.pass('an empty stream is a fault of the run');
  } catch (error) {
    t.ok(isFault(error));
  }
});

t.test('what is a pickle and what only looks like one', async (t) => {
  const yes: Piece[] = [
    pickled(4, op.emptyDict()),
    pickled(0, op.none()),
    "cos\nsystem\n(S'x'\ntR.",
    "(S'x'\nios\nsystem\n.",
    "S'# config'\n0cos\nsystem\n(Vx\ntR.",
    "cos\nsystem\n(S'x'\ntR\xff\xff",
    assemble(pickled(4, payload), 'PK\x03\x04'),
    'Pos.system\n)R.',
    op.proto(4),
    assemble(pickled(0, op.none()), pickled(2, payload)),
  ];
  for (const piece of yes)
    t.ok(
      pickle.recognise(assemble(piece).subarray(0, 4096), fromBytes(assemble(piece))),
      JSON.stringify(piece).slice(0, 60),
    );
  const no: Piece[] = [
    'cool\nproject\n\nThis is a README.\n',
    '# Title\n\ntext\n',
    '{"a": 1}',
    '[1, 2]',
    'a,b,c\n1,2,3\n',
    'import os\nos.system("x")\n',
    'N. Korea\nS. Korea\n',
    'Copyright (c) 2020 Somebody\n\nPermission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files, right',
    'Version 1\nPersistent things\n',
    '(in progress)\n',
    "require('./x');\n",
    'PK\x03\x04\x14\x00',
    '\x80\x00\x00\x00\x00\x00\x00\x00{"__metadata__":{}}',
    '\x80\x02\x00\x00\x00\x00\x00\x00{}',
    '\x1f\x8b\x08\x00',
    '\x93NUMPY\x01\x00',
    'GGUF\x03\x00\x00\x00',
    'count\n1\n2\n',
  ];
  for (const piece of no)
    t.notOk(pickle.recognise(assemble(piece), fromBytes(assemble(piece))), JSON.stringify(piece).slice(0, 60));
});
