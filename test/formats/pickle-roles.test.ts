import { spawnSync } from 'node:child_process';
import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { inspect } from '../../src/formats/index.ts';
import { allowedCount, allowedName } from '../../src/formats/pickle/allowed.ts';
import { isCallOf } from '../../src/formats/pickle/values.ts';
import { assemble, named, op, type Piece, pickled, text } from '../support/pickle-assembler.ts';
import { accepted, array, call, dtype, inTorch, plainRanks, tensor, weigh } from '../support/pickle-weigh.ts';

/** Pickles values with both picklers in every protocol, one line each; nothing is loaded. */
const WRITER = `
import pickle, collections as c, datetime as d, decimal, fractions, uuid, pathlib, argparse, types
od = c.OrderedDict(a=1, b=[1, 2]); od.x = 1
cycle = []; cycle.append(cycle)
values = dict(od=od, counter=c.Counter('abca'), dd=c.defaultdict(list, {'a': [1]}), deque=c.deque([1, 2], 5),
  dt=d.datetime(2020, 1, 2, 3, 4, 5, 6), dtz=d.datetime(2020, 1, 2, tzinfo=d.timezone.utc), date=d.date(2020, 1, 1), delta=d.timedelta(1),
  dec=decimal.Decimal('1.5'), frac=fractions.Fraction(1, 3), uuid=uuid.UUID(int=5), path=pathlib.PurePosixPath('/a/b'),
  ns=argparse.Namespace(lr=.1, d={'x': (1, 2, 3, 4)}), sns=types.SimpleNamespace(a=1), raw=b'\\x00\\xffabc' * 10, array=bytearray(b'abc\\xff'),
  sets=[frozenset([1, 2]), {1, 2}], numbers=[1 + 2j, range(3), slice(1, 2), 2**70, -2**80, 0, 255, 65536, -2**31, 1e300, float('inf'), float('nan'), -0.0],
  text=['\\u4e2d\\U0001f600\\\\u0041\\n\\r\\x00', '\\ud800', 'x' * 70000], types=[int, dict, True, None, ...], cycle=cycle, tuples=((), (1,), (1, 2, 3, 4)), long=b'y' * 70000)
for name, value in values.items():
    for protocol in range(6):
        print(name, pickle.dumps(value, protocol).hex())
        print(name, pickle._dumps(value, protocol).hex())
`;

t.test('tensors are rebuilt inside their storage and without hooks', async (t) => {
  const good = weigh(pickled(4, tensor()), inTorch);
  t.same([good.content, good.rules, isCallOf(good.value, 'torch._utils', '_rebuild_tensor_v2')], ['tensors', [], true]);
  t.same(
    weigh(
      pickled(4, call('torch._utils', '_rebuild_parameter', tensor(), op.true(), call('collections', 'OrderedDict'))),
      inTorch,
    ).rules,
    [],
  );
  const bad: Piece[] = [
    tensor({ offset: 1 }),
    tensor({ size: assemble(op.binint1(3), op.binint1(5), op.tuple2()) }),
    tensor({ stride: assemble(op.binint(-4), op.binint1(1), op.tuple2()) }),
    tensor({ stride: assemble(op.binint1(1), op.tuple1()) }),
    tensor({
      size: assemble(op.long1(new Uint8Array(8).fill(0x7f)), op.long1(new Uint8Array(8).fill(0x7f)), op.tuple2()),
    }),
    tensor({ of: text('storage') }),
    tensor({ hooks: assemble(call('collections', 'OrderedDict'), op.binint1(0), op.none(), op.setitem()) }),
    call('torch._utils', '_rebuild_parameter', op.none(), op.true(), call('collections', 'OrderedDict')),
    call(
      'torch._tensor',
      '_rebuild_from_type_v2',
      named('torch', 'device'),
      named('torch', 'Tensor'),
      op.emptyTuple(),
      op.emptyDict(),
    ),
    call(
      'torch._tensor',
      '_rebuild_from_type_v2',
      named('torch._utils', '_rebuild_tensor_v2'),
      named('builtins', 'dict'),
      op.emptyTuple(),
      op.emptyDict(),
    ),
  ];
  for (const piece of bad) {
    const { rules, content } = weigh(pickled(4, piece), inTorch);
    t.same([rules.includes('pickle.argument'), content], [true, 'unknown']);
  }
});

/** What the index of a distributed checkpoint says of one tensor, with the state of its properties. */
const partOfCheckpoint = (layout: Piece = text('torch.strided')): Uint8Array => {
  const of = (name: string): Uint8Array =>
    assemble(named('torch.distributed.checkpoint.metadata', name), op.emptyTuple(), op.newobj());
  const properties = assemble(
    of('TensorProperties'),
    op.mark(),
    [named('torch', 'float32'), call('torch.serialization', '_get_layout', layout), op.false()],
    [call('torch.distributed.checkpoint.metadata', '_MEM_FORMAT_ENCODING', op.binint1(0)), op.false()],
    op.tuple(),
    op.build(),
  );
  return assemble(
    of('TensorStorageMetadata'),
    op.emptyDict(),
    text('properties'),
    properties,
    op.setitem(),
    op.build(),
  );
};

t.test('names of the index of a distributed checkpoint are data, others of its package are not', async (t) => {
  for (const [module, name] of [
    ['torch.distributed.checkpoint.metadata', 'os'],
    ['torch.distributed.checkpoint.filesystem', 'FileSystemReader'],
    ['torch.distributed.checkpoint', 'load'],
    ['torch.distributed.checkpoint.metadata', 'Metadata.__init__'],
  ] as const)
    t.equal(weigh(pickled(4, call(module, name, text('x')))).content, 'active', `${module}.${name}`);
  t.equal(weigh(pickled(4, partOfCheckpoint(call('os', 'system', text('x'))))).content, 'active');
  const called = weigh(pickled(4, call('torch.distributed.checkpoint.metadata', 'Metadata', text('x'))));
  t.notSame(called.rules, [], 'a record that is given arguments');
  t.notOk(['inert', 'tensors', 'data', 'trainer', 'library'].includes(called.content));
});

t.test('each tier accepts what its library writes, and its rules refuse the rest', async (t) => {
  t.ok(allowedCount > 700);
  const good: readonly (readonly [Piece, string])[] = [
    [array('f8', 2, op.shortBinbytes(new Uint8Array(16))), 'data'],
    [array('O', 2, assemble(op.emptyList(), op.mark(), text('a'), op.none(), op.appends())), 'data'],
    [call('numpy.core.multiarray', 'scalar', dtype('i4'), op.shortBinbytes(new Uint8Array(4))), 'data'],
    [call('_codecs', 'encode', text('abc'), text('latin1')), 'tensors'],
    [call('datetime', 'datetime', op.shortBinbytes(new Uint8Array(10))), 'data'],
    [call('pathlib', 'PosixPath', text('a'), text('b')), 'data'],
    [call('collections', 'defaultdict', named('builtins', 'list')), 'data'],
    [call('collections', 'deque', op.emptyList(), op.binint1(5)), 'data'],
    [assemble(call('uuid', 'UUID'), op.emptyDict(), text('int'), op.binint1(5), op.setitem(), op.build()), 'data'],
    [call('copyreg', '_reconstructor', named('argparse', 'Namespace'), named('builtins', 'object'), op.none()), 'data'],
    [call('builtins', 'getattr', named('transformers.trainer_utils', 'SchedulerType'), text('LINEAR')), 'trainer'],
    [call('transformers.trainer_utils', 'IntervalStrategy', text('no')), 'trainer'],
    [partOfCheckpoint(), 'data'],
    [
      assemble(
        call('transformers.training_args', 'TrainingArguments'),
        op.emptyDict(),
        text('seed'),
        op.binint1(1),
        op.setitem(),
        op.build(),
      ),
      'trainer',
    ],
    [
      assemble(
        call('sklearn.linear_model._logistic', 'LogisticRegression'),
        op.emptyDict(),
        text('C'),
        op.binfloat(1),
        op.setitem(),
        op.build(),
      ),
      'library',
    ],
    [
      assemble(
        call('torch.nn.modules.linear', 'Linear'),
        op.emptyDict(),
        text('training'),
        op.false(),
        op.setitem(),
        op.build(),
      ),
      'library',
    ],
    [call('torch', 'device', text('cuda'), op.binint1(0)), 'tensors'],
  ];
  for (const [piece, content] of good)
    accepted(
      t,
      pickled(4, piece),
      content,
      Buffer.from(assemble(piece))
        .toString('latin1')
        .replaceAll(/[^\w.]+/g, ' ')
        .slice(0, 70),
    );
  const bad: Piece[] = [
    array('f8', 2, op.shortBinbytes(new Uint8Array(15))),
    array('O', 2, op.shortBinbytes(new Uint8Array(16))),
    array('zz', 1, op.shortBinbytes('x')),
    array('f8', 1, op.shortBinbytes(new Uint8Array(8)), named('collections', 'OrderedDict')),
    call('numpy.core.multiarray', 'scalar', dtype('O'), text('x')),
    call('_codecs', 'encode', text('abc'), text('zlib')),
    call('builtins', 'bytearray', op.binint(2 ** 31 - 1)),
    call('builtins', 'list', call('builtins', 'range', op.binint(2 ** 31 - 1))),
    call('collections', 'defaultdict', named('collections', 'deque')),
    call('builtins', 'getattr', named('collections', 'OrderedDict'), text('FROMKEYS')),
    call('builtins', 'getattr', named('transformers.trainer_utils', 'SchedulerType'), text('__class__')),
    call('copyreg', '_reconstructor', named('builtins', 'list'), named('builtins', 'list'), op.none()),
    call('sklearn.linear_model._logistic', 'LogisticRegression', text('argument')),
    call('torch', 'device', text('../x')),
    named('numpy.random._pickle', '__nothing'),
    call('numpy.random._pickle', '__randomstate_ctor', named('collections', 'deque')),
    call('numpy', 'ndarray', op.emptyTuple()),
    call('torch', 'FloatStorage'),
  ];
  for (const piece of bad) {
    const { content, rules, findings } = weigh(pickled(4, piece));
    t.ok(!plainRanks.includes(content) && findings.length > 0, `${content} ${rules.join(' ')}`);
  }
  t.equal(allowedName('torch', 'load'), undefined);
  t.equal(allowedName('builtins', 'getattr')?.reference, false);
});

t.test('what others rely on does not change afterwards, and keywords are never given', async (t) => {
  const later = assemble(
    op.emptyList(),
    dtype('i8'),
    op.memoize(),
    op.append(),
    array('f8', 1, op.shortBinbytes(new Uint8Array(8))),
    op.append(),
  );
  accepted(t, pickled(4, later), 'data', 'types and arrays beside each other');
  const state = assemble(
    op.mark(),
    op.binint1(3),
    text('<'),
    op.none(),
    op.none(),
    op.none(),
    op.binint(-1),
    op.binint(-1),
    op.binint1(0),
    op.tuple(),
  );
  const shared = assemble(
    dtype('i4'),
    op.memoize(),
    op.pop(),
    call('numpy.core.multiarray', 'scalar', op.binget(0), op.shortBinbytes(new Uint8Array(4))),
    op.pop(),
  );
  accepted(t, pickled(4, shared, op.binget(0)), 'data', 'a shared type');
  t.ok(
    weigh(pickled(4, shared, op.binget(0), state, op.build())).rules.includes('pickle.build'),
    'a type that changes',
  );
  const keywords = assemble(op.emptyDict(), text('encoding'), text('latin1'), op.setitem());
  const given = weigh(pickled(4, named('_codecs', 'encode'), text('x'), op.tuple1(), keywords, op.newobjEx()));
  t.same([given.rules, given.content], [['pickle.argument'], 'unknown']);
});

t.test('a tree whose nodes point outside it is refused', async (t) => {
  const field = (name: string, code: string, offset: number): Piece =>
    assemble(text(name), dtype(code), op.binint1(offset), op.tuple2());
  const nodeType = assemble(
    call('numpy', 'dtype', text('V24'), op.false(), op.true()),
    op.mark(),
    op.binint1(3),
    text('|'),
    op.none(),
    text('left_child'),
    text('right_child'),
    text('feature'),
    op.tuple3(),
    op.emptyDict(),
    op.mark(),
    field('left_child', 'i8', 0),
    field('right_child', 'i8', 8),
    field('feature', 'i8', 16),
    op.setitems(),
    op.binint1(24),
    op.binint1(1),
    op.binint1(16),
    op.tuple(),
    op.build(),
  );
  const nodes = (...rows: (readonly [bigint, bigint, bigint])[]): Uint8Array =>
    new Uint8Array(BigInt64Array.from(rows.flat()).buffer);
  const table = (data: Uint8Array, count: number, type: Piece, dims: Piece): Piece =>
    assemble(
      call(
        'numpy.core.multiarray',
        '_reconstruct',
        named('numpy', 'ndarray'),
        assemble(op.binint1(0), op.tuple1()),
        op.shortBinbytes('b'),
      ),
      op.mark(),
      op.binint1(1),
      op.binint1(count),
      dims,
      type,
      op.false(),
      op.binbytes(data),
      op.tuple(),
      op.build(),
    );
  const treeOf = (data: Uint8Array): Uint8Array =>
    pickled(
      4,
      call(
        'sklearn.tree._tree',
        'Tree',
        op.binint1(2),
        array('i8', 1, op.shortBinbytes(new Uint8Array(8))),
        op.binint1(1),
      ),
      op.emptyDict(),
      op.mark(),
      text('node_count'),
      op.binint1(3),
      text('nodes'),
      table(data, 3, nodeType, op.tuple1()),
      text('values'),
      table(new Uint8Array(24), 3, dtype('f8'), assemble(op.binint1(1), op.binint1(1), op.tuple3())),
      op.setitems(),
      op.build(),
    );
  const leaf = [-1n, -1n, -2n] as const;
  accepted(t, treeOf(nodes([1n, 2n, 1n], leaf, leaf)), 'library', 'a sound tree');
  for (const root of [
    [1n, 3n, 0n],
    [0n, 2n, 0n],
    [1n, 2n, 2n],
    [1n, -1n, 0n],
    [1n, 2n ** 60n, 0n],
  ] as const) {
    t.ok(weigh(treeOf(nodes(root, leaf, leaf))).rules.includes('pickle.build'), root.join());
  }
});

t.test('what Python itself pickles of plain values is accepted in every protocol', async (t) => {
  const run = spawnSync('python3', ['-I', '-c', WRITER], { encoding: 'utf8', timeout: 60_000, maxBuffer: 1 << 28 });
  t.equal(run.status, 0, run.stderr);
  const lines = run.stdout.trim().split('\n');
  t.equal(lines.length, 23 * 6 * 2);
  for (const line of lines) {
    const [name = '', hex = ''] = line.split(' ');
    const { content, coverage, findings } = inspect(fromBytes(Buffer.from(hex, 'hex')));
    t.same([content, coverage.state, findings], ['data', 'complete', []], name);
  }
});

t.test('a function is no value, wherever in the result it stands and whenever it got there', async (t) => {
  const late = assemble(
    call('argparse', 'Namespace'),
    op.emptyDict(),
    op.memoize(),
    op.build(),
    op.binget(0),
    text('f'),
    named('builtins', 'getattr'),
    op.setitem(),
    op.tuple2(),
  );
  for (const piece of [
    named('builtins', 'getattr'),
    assemble(op.emptyDict(), text('f'), named('torch.storage', '_load_from_bytes'), op.setitem()),
    late,
  ]) {
    const { rules, content } = weigh(pickled(4, piece));
    t.same([rules.includes('pickle.global-as-data'), content], [true, 'unknown']);
  }
});

t.test('an array takes no more memory than its state fills', async (t) => {
  const make = (size: Piece): Piece =>
    call(
      'numpy.core.multiarray',
      '_reconstruct',
      named('numpy', 'ndarray'),
      assemble(size, op.tuple1()),
      op.shortBinbytes(new Uint8Array([0x62])),
    );
  t.same(weigh(pickled(4, make(op.binint1(0)))).rules, []);
  t.ok(weigh(pickled(4, make(op.binint(0x7fffffff)))).rules.includes('pickle.argument'));
});

t.test('a name that is certainly no string stops every loader; one that may be a string is an attack', async (t) => {
  const imported = (name: Piece): readonly string[] =>
    weigh(pickled(4, assemble(text('os'), name, op.stackGlobal(), op.emptyTuple(), op.reduce()))).rules;
  t.same(imported(dtype('i4')), ['pickle.malformed']);
  t.same(imported(op.binint1(1)), ['pickle.malformed']);
  t.ok(imported(call('builtins', 'str', text('system'))).includes('pickle.name-computed'));
  t.ok(imported(call('somewhere', 'else', text('system'))).includes('pickle.name-computed'));
});
