import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { inspect } from '../../src/formats/index.ts';
import { TAKING } from '../../src/formats/pickle/attempt.ts';
import { isTorchLegacy, pickle } from '../../src/formats/pickle/format.ts';
import { OPCODE_NAMES } from '../../src/formats/pickle/opcodes.ts';
import { tryPickle } from '../../src/formats/pickle/trial.ts';
import { assemble, callForms, named, op, pickled, text } from '../support/pickle-assembler.ts';
import { accepted, call, payload, refused, severe, weigh } from '../support/pickle-weigh.ts';

const GADGETS: readonly (readonly [string, string])[] = [
  ['os', 'system'],
  ['posix', 'system'],
  ['nt', 'system'],
  ['subprocess', 'Popen'],
  ['builtins', 'eval'],
  ['builtins', 'exec'],
  ['builtins', '__import__'],
  ['importlib', 'import_module'],
  ['pkgutil', 'resolve_name'],
  ['pydoc', 'locate'],
  ['operator', 'attrgetter'],
  ['_operator', 'methodcaller'],
  ['functools', 'partial'],
  ['pickle', 'loads'],
  ['torch', 'load'],
  ['joblib', 'load'],
  ['numpy', 'load'],
  ['torch.hub', 'load'],
  ['torch.utils.collect_env', 'run'],
  ['numpy.f2py.crackfortran', 'getlincoef'],
  ['asyncio.unix_events', '_UnixSubprocessTransport._start'],
  ['idlelib.run', 'Executive.runcode'],
  ['uuid', '_get_command_stdout'],
  ['_osx_support', '_read_output'],
  ['types', 'CodeType'],
  ['cloudpickle.cloudpickle', 'subimport'],
  ['marshal', 'loads'],
  ['ctypes', 'CDLL'],
  ['socket', 'create_connection'],
  ['runpy', '_run_code'],
  ['multiprocessing.util', 'spawnv_passfds'],
  ['torch._inductor.codecache', 'compile_file'],
  ['lib2to3.pgen2.grammar', 'Grammar.loads'],
  ['sys', 'exit'],
];

t.test(
  'known attacks are active content by every opcode that calls, at the offset of the import (P1, P2, P8, P21)',
  async (t) => {
    for (const [module, name] of GADGETS) {
      for (const [form, assembleCall] of Object.entries(callForms)) {
        const stream = pickled(4, assembleCall(module, name, [text('x')]));
        const { findings, content } = weigh(stream);
        const finding = findings.find(({ rule }) => rule === 'pickle.global-dangerous');
        t.same(
          [finding?.severity, content, (finding?.where.offset ?? 0) > 0],
          ['critical', 'active', true],
          `${module}.${name} by ${form}`,
        );
      }
    }
  },
);

t.test('a name on no list is unknown, by every opcode that calls and by import alone (P1, P25)', async (t) => {
  for (const assembleCall of Object.values(callForms))
    refused(t, pickled(4, assembleCall('some_library', 'thing', [])), 'pickle.global-unknown', 'unknown');
  refused(t, pickled(4, named('some_library', 'thing')), 'pickle.global-unknown', 'unknown');
  refused(t, pickled(0, op.global('antigravity', 'fly')), 'pickle.global-dangerous', 'active');
  refused(t, pickled(2, op.global('collections.evil', 'OrderedDict')), 'pickle.global-unknown', 'unknown');
  refused(t, pickled(2, op.global('collections', 'OrderedDictEvil')), 'pickle.global-unknown', 'unknown');
});

t.test('the evasions of the catalogue', async (t) => {
  await t.test('P3 dotted names never match, however they are split', async (t) => {
    for (const [module, name] of [
      ['collections', 'abc.sys.modules.get'],
      ['torch', 'serialization.os.system'],
      ['sklearn.utils', '_os.system'],
      ['builtins', 'eval.__call__'],
    ] as const) {
      refused(t, pickled(4, call(module, name, text('x'))), 'pickle.global-dangerous', 'active');
    }
    refused(t, pickled(4, named('torch', '_utils._rebuild_tensor_v2')), 'pickle.global-unknown', 'unknown');
    refused(
      t,
      pickled(4, text('torch._utils\n_rebuild_tensor_v2'), text(''), op.stackGlobal()),
      'pickle.global-malformed',
    );
  });
  await t.test('P4 a computed callee is refused whatever computed it', async (t) => {
    refused(
      t,
      pickled(4, call('collections', 'OrderedDict'), op.emptyTuple(), op.reduce()),
      'pickle.callee-computed',
      'active',
    );
    refused(t, pickled(4, text('x'), op.emptyTuple(), op.reduce()), 'pickle.callee-computed', 'active');
    refused(
      t,
      pickled(
        4,
        call('builtins', 'getattr', named('collections', 'OrderedDict'), text('fromkeys')),
        op.emptyTuple(),
        op.reduce(),
      ),
      'pickle.global-dangerous',
      'active',
    );
  });
  await t.test('P5 the memo is that of the loader', async (t) => {
    const viaMemo = pickled(
      4,
      text('os'),
      op.binput(3),
      op.pop(),
      text('system'),
      op.binput(4),
      op.pop(),
      op.binget(3),
      op.binput(9),
      op.pop(),
      op.binget(9),
      op.binget(4),
      op.stackGlobal(),
      text('x'),
      op.tuple1(),
      op.reduce(),
    );
    refused(t, viaMemo, 'pickle.global-dangerous', 'active');
    const mixed = pickled(
      4,
      text('os'),
      op.memoize(),
      op.pop(),
      text('a'),
      op.binput(1),
      op.pop(),
      text('system'),
      op.memoize(),
      op.pop(),
      op.binget(0),
      op.binget(2),
      op.stackGlobal(),
    );
    refused(t, mixed, 'pickle.global-dangerous', 'active');
    refused(t, pickled(4, op.binget(7)), 'pickle.malformed');
    refused(t, pickled(0, op.none(), op.put(-1)), 'pickle.malformed');
  });
  await t.test('P6 operands of STACK_GLOBAL must be constant strings', async (t) => {
    refused(
      t,
      pickled(4, call('builtins', 'str', text('os')), text('system'), op.stackGlobal()),
      'pickle.name-computed',
      'active',
    );
    refused(t, pickled(4, text('code'), op.dup(), op.stackGlobal()), 'pickle.global-dangerous', 'active');
    refused(
      t,
      pickled(4, op.string("'\\x6fs'"), op.shortBinstring('system'), op.stackGlobal()),
      'pickle.global-dangerous',
      'active',
    );
    refused(
      t,
      pickled(4, op.unicode('\\u006fs'), op.binunicode8('system'), op.stackGlobal()),
      'pickle.global-dangerous',
      'active',
    );
  });
  await t.test('P7 BUILD sets the state of nothing but what a listed constructor made', async (t) => {
    refused(t, pickled(4, named('collections', 'OrderedDict'), op.emptyDict(), op.build()), 'pickle.build', 'active');
    refused(t, pickled(4, op.emptyDict(), op.emptyDict(), op.build()), 'pickle.build', 'active');
    refused(t, pickled(4, call('torch', 'device', text('cpu')), op.emptyDict(), op.build()), 'pickle.build', 'active');
    refused(
      t,
      pickled(
        4,
        call('argparse', 'Namespace'),
        op.emptyDict(),
        text('__setstate__'),
        op.none(),
        op.setitem(),
        op.build(),
      ),
      'pickle.build',
    );
    const slots = assemble(op.none(), op.emptyDict(), text('__class__'), op.none(), op.setitem(), op.tuple2());
    refused(t, pickled(4, call('argparse', 'Namespace'), slots, op.build()), 'pickle.build');
    refused(
      t,
      pickled(4, call('some_library', 'Thing'), op.emptyDict(), op.build()),
      'pickle.global-unknown',
      'unknown',
    );
  });
  await t.test('P9 extension codes, P10 persistent ids, P19 buffers', async (t) => {
    for (const code of [op.ext1(1), op.ext2(1), op.ext4(1)])
      refused(t, pickled(2, code), 'pickle.extension', 'unknown');
    refused(t, pickled(0, op.persid('os.system')), 'pickle.persistent-id', 'unknown');
    refused(t, pickled(2, text('storage', 2), op.tuple1(), op.binpersid()), 'pickle.persistent-id', 'unknown');
    refused(t, pickled(0, op.persid('x'), op.emptyTuple(), op.reduce()), 'pickle.callee-computed', 'active');
    refused(t, pickled(5, op.nextBuffer(), op.readonlyBuffer()), 'pickle.buffer', 'unknown');
    const kept = weigh(pickled(2, text('k', 2), op.binpersid()), {
      persistent: (id, offset) => ({ kind: 'persistent', id, offset }),
    });
    t.same([kept.value?.kind, kept.rules], ['persistent', []], 'a container may accept them');
  });
  await t.test('P11 items are added to containers only', async (t) => {
    const tensor = call('torch', 'device', text('cpu'));
    refused(t, pickled(4, tensor, text('k'), op.none(), op.setitem()), 'pickle.target', 'active');
    refused(t, pickled(4, tensor, op.none(), op.append()), 'pickle.target', 'active');
    refused(t, pickled(4, tensor, op.mark(), op.none(), op.appends()), 'pickle.target', 'active');
    refused(t, pickled(4, tensor, op.mark(), op.none(), op.additems()), 'pickle.target', 'active');
    refused(t, pickled(4, op.emptyList(), op.mark(), text('k'), op.none(), op.setitems()), 'pickle.target', 'active');
    refused(
      t,
      pickled(4, named('collections', 'OrderedDict'), text('k'), op.none(), op.setitem()),
      'pickle.target',
      'active',
    );
    accepted(
      t,
      pickled(4, call('collections', 'OrderedDict'), text('k'), op.none(), op.setitem()),
      'tensors',
      'an OrderedDict is one',
    );
  });
  await t.test('P12 P13 what came before a break counts', async (t) => {
    for (const tail of [assemble('\xff'), assemble(''), op.reduce(), assemble('X\xff\xff\xff\x7f'), op.binget(99)]) {
      const { rules, content, stopped } = weigh(assemble(op.proto(4), payload, op.pop(), tail));
      t.same(
        [rules.includes('pickle.global-dangerous'), rules.includes('pickle.malformed'), content, stopped],
        [true, true, 'active', false],
      );
    }
  });
  await t.test('P14 every stream of a file is read, also behind padding', async (t) => {
    const benign = pickled(4, op.emptyDict());
    for (const bytes of [
      assemble(benign, benign, pickled(4, payload)),
      assemble(benign, new Uint8Array(300), pickled(4, payload)),
      assemble(benign, 'GARBAGE', pickled(4, payload)),
    ]) {
      t.equal(inspect(fromBytes(bytes)).content, 'active');
    }
    const two = inspect(fromBytes(assemble(benign, benign)));
    t.same(
      [two.content, two.coverage.state, two.findings],
      ['data', 'complete', []],
      'two harmless streams are harmless',
    );
    const tail = inspect(fromBytes(assemble(benign, '\x7fELF', new Uint8Array(60))));
    t.same(
      [tail.content, tail.coverage.state, severe(tail.findings)],
      ['unknown', 'partial', true],
      'a program behind a pickle',
    );
  });
  await t.test('P15 pickles inside constants are read', async (t) => {
    const inner = pickled(4, payload);
    const base64 = Buffer.from(inner).toString('base64');
    const hex = Buffer.from(inner).toString('hex');
    for (const constant of [
      op.shortBinbytes(inner),
      op.binbytes(inner),
      op.bytearray8(inner),
      text(base64),
      text(hex),
      op.shortBinbytes(pickled(4, op.shortBinbytes(inner))),
    ]) {
      const { content, rules } = weigh(pickled(5, constant));
      t.same([content, rules.includes('pickle.nested')], ['active', true]);
    }
    t.same(
      weigh(pickled(5, op.shortBinbytes(Uint8Array.from({ length: 40 }, (_, at) => at * 5)))).rules,
      [],
      'ordinary bytes are not',
    );
  });
  await t.test('P16 a result that is dropped was still called', async (t) => {
    refused(t, pickled(4, payload, op.pop(), op.emptyDict()), 'pickle.global-dangerous', 'active');
    refused(t, pickled(4, op.mark(), payload, op.popMark(), op.emptyDict()), 'pickle.global-dangerous', 'active');
  });
  await t.test('P17 text opcodes are read as loaders read them', async (t) => {
    refused(t, pickled(0, op.global('os\r', 'system')), 'pickle.global-dangerous', 'active');
    refused(t, pickled(0, op.global('', '')), 'pickle.global-malformed');
    refused(t, assemble(op.proto(255), op.none(), op.stop()), 'pickle.malformed');
    refused(t, pickled(0, op.string('no quotes')), 'pickle.malformed');
    t.same(weigh(pickled(0, op.int('01'))).value, { kind: 'bool', value: true });
    refused(t, pickled(0, op.int('1x')), 'pickle.malformed');
    t.ok(
      weigh(assemble(op.proto(2), op.none(), op.pop(), op.proto(4), op.none(), op.stop())).rules.includes(
        'pickle.protocol-changed',
      ),
    );
  });
  await t.test('P18 frames and lengths that lie', async (t) => {
    refused(t, pickled(4, op.frame(500), op.none()), 'pickle.frame');
    refused(t, pickled(4, op.frame(2), text('longer than the frame')), 'pickle.frame');
    refused(t, pickled(4, op.frame(20), op.frame(1), op.none()), 'pickle.frame');
    refused(t, pickled(4, op.frame(3), op.none()), 'pickle.frame');
    refused(t, pickled(4, op.frame(2 ** 40), op.none()), 'pickle.frame');
    refused(t, pickled(4, op.binunicode8('x', 2n ** 62n)), 'pickle.malformed');
    refused(t, pickled(4, op.binbytes8('x', 2n ** 40n)), 'pickle.malformed');
    refused(t, pickled(2, op.long4('', -1)), 'pickle.malformed');
    accepted(t, pickled(4, op.frame(2), op.none()), 'tensors', 'a frame that holds everything up to STOP');
  });
  await t.test('P20 bombs are found before anybody walks them', async (t) => {
    const levels = Array.from({ length: 30 }, () =>
      assemble(
        op.memoize(),
        op.pop(),
        op.emptyList(),
        op.mark(),
        Array.from({ length: 10 }, () => op.dup()),
        op.popMark(),
      ),
    );
    t.ok(weigh(pickled(4, op.emptyList(), levels)).opcodes < 1000, 'harmless');
    const laughs = Array.from({ length: 20 }, (_, at) =>
      assemble(
        op.emptyList(),
        op.mark(),
        Array.from({ length: 10 }, () => op.binget(at)),
        op.appends(),
        op.binput(at + 1),
        op.pop(),
      ),
    );
    refused(t, pickled(2, op.emptyList(), op.binput(0), op.pop(), laughs, op.binget(20)), 'pickle.expansion');
    refused(
      t,
      pickled(
        2,
        Array.from({ length: 5000 }, () => op.emptyList()),
        Array.from({ length: 4999 }, () => op.append()),
      ),
      'pickle.depth',
    );
    refused(t, pickled(2, op.none(), op.longBinput(0xffffffff)), 'pickle.malformed');
    refused(t, pickled(0, op.long('9'.repeat(100_000))), 'pickle.limit');
    const limited = weigh(
      pickled(
        2,
        Array.from({ length: 200 }, () => op.none()),
      ),
      { opcodes: 100 },
    );
    t.same([limited.limited, limited.content, limited.rules], [true, 'unknown', ['pickle.limit']]);
  });
  await t.test('P23 functions are not handed on as data', async (t) => {
    const state = assemble(
      op.emptyDict(),
      text('hook'),
      op.emptyList(),
      named('torch._utils', '_rebuild_tensor_v2'),
      op.append(),
      op.setitem(),
    );
    refused(t, pickled(4, call('argparse', 'Namespace'), state, op.build()), 'pickle.global-as-data');
    refused(t, pickled(4, call('collections', 'defaultdict', named('builtins', 'getattr'))), 'pickle.argument');
    refused(
      t,
      pickled(
        4,
        call(
          'collections',
          'OrderedDict',
          op.emptyList(),
          assemble(named('_codecs', 'encode'), text('k'), op.tuple2(), op.append()),
        ),
      ),
      'pickle.global-as-data',
    );
    const late = assemble(
      op.emptyList(),
      op.memoize(),
      op.pop(),
      call('collections', 'deque', op.binget(0)),
      op.pop(),
      op.binget(0),
      named('_codecs', 'encode'),
      op.append(),
    );
    refused(t, pickled(4, late), 'pickle.global-as-data');
  });
  await t.test('P24 a first stream that computes the magic number is not a torch checkpoint', async (t) => {
    const magic = assemble('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.');
    t.ok(isTorchLegacy(magic));
    t.notOk(pickle.recognise(magic, fromBytes(magic)));
    const computed = assemble(
      pickled(2, op.global('__builtin__', 'eval'), text('119547037146038801333356', 2), op.tuple1(), op.reduce()),
      magic,
    );
    t.notOk(isTorchLegacy(computed));
    t.ok(pickle.recognise(computed, fromBytes(computed)));
    t.equal(inspect(fromBytes(computed)).content, 'active');
  });
});

t.test('an opcode that is said to break at once does, whatever follows it', async (t) => {
  const tails = ['', '.', '\n.', '(', 'cos\nsystem\n.', '\x00'.repeat(300), 'x'.repeat(5000), '9'.repeat(5000)];
  for (const name of TAKING)
    for (const tail of tails) {
      const bytes = new Uint8Array([OPCODE_NAMES.indexOf(name), ...Buffer.from(tail, 'latin1')]);
      const { calls, globals, stopped, limited, fault } = tryPickle(fromBytes(bytes), 0, bytes.length);
      t.same([calls, globals, stopped, limited], [0, [], false, false], `${name} before ${tail.slice(0, 20)}`);
      t.ok(fault);
    }
  t.equal(TAKING.size, 21);
});
