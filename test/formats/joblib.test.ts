import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import type { Report } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { assemble, named, op, type Piece, pickled, text } from '../support/pickle-assembler.ts';
import { call, dtype, payload } from '../support/pickle-weigh.ts';

type Wrapper = { code?: string; count?: number; alignment?: number | null; subclass?: Piece; protocol?: number };

/** A NumpyArrayWrapper and its BUILD, as joblib writes it before the bytes of the array. */
const wrapper = ({
  code = 'f8',
  count = 2,
  alignment = 16,
  subclass = named('numpy', 'ndarray'),
}: Wrapper = {}): Uint8Array =>
  assemble(
    named('joblib.numpy_pickle', 'NumpyArrayWrapper'),
    op.emptyTuple(),
    op.newobj(),
    op.emptyDict(),
    op.mark(),
    text('subclass'),
    subclass,
    text('shape'),
    op.binint1(count),
    op.tuple1(),
    text('order'),
    text('C'),
    text('dtype'),
    dtype(code),
    text('allow_mmap'),
    op.true(),
    alignment === null ? [] : [text('numpy_array_alignment_bytes'), op.binint1(alignment)],
    op.setitems(),
    op.build(),
  );

const padding = (length: number): Piece => assemble(Uint8Array.of(length), new Uint8Array(length).fill(0xff));

const weigh = (...pieces: Piece[]): Report => inspect(fromBytes(assemble(pieces)));
const dump = (...pieces: Piece[]): Report => weigh(pickled(4, ...pieces));
const whole = (report: Report): unknown[] => [report.format, report.content, report.coverage.state, report.findings];

t.test('arrays between the opcodes are handed over as joblib does', async (t) => {
  const two = dump(
    op.emptyList(),
    op.mark(),
    wrapper(),
    padding(7),
    new Uint8Array(16),
    wrapper({ count: 1 }),
    padding(1),
    new Uint8Array(8),
    op.appends(),
  );
  t.same(whole(two), ['joblib', 'data', 'complete', []]);
  t.same(
    whole(dump(wrapper({ alignment: null, code: 'u1', count: 4 }), Uint8Array.of(1, 2, 3, 4))),
    ['joblib', 'data', 'complete', []],
    'before joblib 1.2',
  );
  t.same(whole(dump(wrapper({ count: 0 }), padding(3))), ['joblib', 'data', 'complete', []], 'no elements');
  const objects = pickled(5, op.emptyList(), op.mark(), text('a'), op.appends());
  t.same(
    whole(dump(wrapper({ code: 'O', count: 1 }), objects)),
    ['joblib', 'data', 'complete', []],
    'objects are a pickle of their own',
  );
});

t.test('what hides in or behind an array is found', async (t) => {
  const behind = dump(wrapper(), padding(7), new Uint8Array(16), op.pop(), payload);
  t.equal(behind.content, 'active', 'opcodes go on behind the array');
  const objects = dump(wrapper({ code: 'O', count: 1 }), pickled(5, payload));
  t.equal(objects.content, 'active', 'objects that call');
  const evil = assemble("cos\nsystem\n(S'true'\ntR.");
  const inside = dump(wrapper({ alignment: null, code: 'u1', count: evil.length }), evil);
  t.ok(
    inside.findings.some(({ rule, severity }) => rule === 'joblib.array-runs' && severity === 'critical'),
    'an array that runs in pickle.load',
  );
  t.equal(inside.content, 'active');
  const fromStack = assemble(op.pop(), op.stackGlobal(), text('true'), op.tuple1(), op.reduce(), op.stop());
  const split = dump(
    op.mark(),
    text('os'),
    text('system'),
    wrapper({ alignment: null, code: 'u1', count: fromStack.length }),
    fromStack,
    op.tuple(),
  );
  t.equal(split.content, 'active', 'with operands that stand before the array');
});

/** Objects as joblib writes them: a pickle whose memo begins anew, with `then` behind the array. */
const objectsWithMemo = (...then: Piece[]): Uint8Array =>
  pickled(
    5,
    text('numpy'),
    op.memoize(),
    op.pop(),
    call('numpy._core.multiarray', '_reconstruct', named('numpy', 'ndarray'), [op.binint1(0), op.tuple1()], letter),
    op.mark(),
    op.binint1(1),
    op.binint1(1),
    op.tuple1(),
    [op.binget(0), text('dtype'), op.stackGlobal()],
    [op.mark(), text('O8'), op.false(), op.true(), op.tuple(), op.reduce()],
    op.false(),
    [op.emptyList(), text('label'), op.append()],
    op.tuple(),
    op.build(),
    then,
  );
const letter = op.shortBinbytes('b');

t.test('objects whose pickle has a memo of its own are no attack on readers that do not know joblib', async (t) => {
  for (const outer of ['Pipeline', 'numpy']) {
    const honest = dump(text(outer), op.memoize(), op.pop(), wrapper({ code: 'O', count: 1 }), objectsWithMemo());
    t.same(whole(honest), ['joblib', 'data', 'complete', []], `where the memo holds ${outer}`);
  }
  const noType = [op.emptyDict(), op.memoize(), op.pop()];
  const stateOfNone = pickled(
    5,
    op.none(),
    op.memoize(),
    op.pop(),
    call('numpy._core.multiarray', '_reconstruct', named('numpy', 'ndarray'), [op.binint1(0), op.tuple1()], letter),
    [op.mark(), op.binint1(1), op.binint1(1), op.tuple1(), op.binget(0), op.false(), op.emptyList(), op.tuple()],
    op.build(),
  );
  t.not(dump(noType, wrapper({ code: 'O', count: 1 }), stateOfNone).content, 'data', 'a type that is none is no data');
  const names = [text('os'), op.memoize(), op.pop()];
  const acts = dump(names, wrapper({ code: 'O', count: 1 }), objectsWithMemo(payload, op.pop()));
  t.equal(acts.content, 'active', 'what runs behind the array is found');
  const called = [op.binget(0), text('system'), op.stackGlobal(), text('true'), op.tuple1(), op.reduce()];
  const aliased = dump(
    names,
    wrapper({ code: 'O', count: 1 }),
    pickled(5, text('math'), op.memoize(), op.pop(), called),
  );
  t.ok(
    aliased.findings.some(({ rule, severity }) => rule === 'joblib.array-runs' && severity === 'critical'),
    'a call of what only the wrong memo names',
  );
});

t.test('arrays that lie about their bytes break the stream', async (t) => {
  const broken: Piece[][] = [
    [wrapper({ count: 200 }), padding(7), new Uint8Array(16)],
    [wrapper(), padding(200), new Uint8Array(16)],
    [wrapper(), Uint8Array.of(3, 0xff, 0, 0xff), new Uint8Array(16)],
    [wrapper({ code: 'zz' }), padding(7), new Uint8Array(16)],
    [wrapper({ subclass: named('collections', 'OrderedDict') }), padding(7), new Uint8Array(16)],
    [wrapper({ code: 'O' }), 'not a pickle'],
    [wrapper()],
  ];
  for (const pieces of broken) {
    const report = dump(...pieces);
    t.same([report.content, report.coverage.state, report.findings.length > 0], ['unknown', 'partial', true]);
  }
  for (const name of ['NDArrayWrapper', 'ZNDArrayWrapper']) {
    t.equal(dump(call('joblib.numpy_pickle', name)).content, 'active', `${name} reads a file beside it`);
  }
});

t.test('a type that states another size than its code is refused', async (t) => {
  const lying = assemble(
    call('numpy', 'dtype', text('S4'), op.false(), op.true()),
    op.mark(),
    op.binint1(3),
    text('|'),
    op.none(),
    op.none(),
    op.none(),
    op.binint1(40),
    op.binint1(1),
    op.binint1(0),
    op.tuple(),
    op.build(),
  );
  const report = dump(
    named('joblib.numpy_pickle', 'NumpyArrayWrapper'),
    op.emptyTuple(),
    op.newobj(),
    op.emptyDict(),
    op.mark(),
    text('subclass'),
    named('numpy', 'ndarray'),
    text('shape'),
    op.binint1(1),
    op.tuple1(),
    text('dtype'),
    lying,
    op.setitems(),
    op.build(),
    'abcd',
  );
  t.same([report.content, report.coverage.state], ['unknown', 'partial']);
});

t.test('a dump cut at any byte is never taken for whole', async (t) => {
  const bytes = pickled(4, wrapper(), padding(7), new Uint8Array(16));
  for (let length = 1; length < bytes.length; length++) {
    const { content, coverage } = inspect(fromBytes(bytes.subarray(0, length)));
    t.ok(content === 'unknown' && coverage.state !== 'complete', `cut at ${length}`);
  }
});
