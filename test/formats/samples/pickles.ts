import { assemble, named, op, type Piece, pickled, text } from '../../support/pickle-assembler.ts';
import { array, call, dtype } from '../../support/pickle-weigh.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

/** The wrapper that joblib pickles before the bytes of an array. */
const wrapper = (code: string, count: number): Uint8Array =>
  assemble(
    named('joblib.numpy_pickle', 'NumpyArrayWrapper'),
    op.emptyTuple(),
    op.newobj(),
    op.emptyDict(),
    op.mark(),
    [text('subclass'), named('numpy', 'ndarray')],
    [text('shape'), op.binint1(count), op.tuple1()],
    [text('order'), text('C')],
    [text('dtype'), dtype(code)],
    [text('allow_mmap'), op.true()],
    op.setitems(),
    op.build(),
  );
const joblib = (code: string, count: number, data: Piece): Uint8Array => pickled(4, wrapper(code, count), data);

const list = assemble(op.emptyList(), op.mark(), op.binint1(1), text('a'), op.none(), op.appends());
/** An opcode stream that calls when the bytes of an array are read as opcodes. */
const evil = assemble("cos\nsystem\n(S'true'\ntR.");

export const pickleSamples: readonly Samples[] = [
  {
    format: 'pickle',
    accept: {
      'plain values': () => pickled(4, list),
      'an array of numpy': () => pickled(4, array('f8', 2, op.shortBinbytes(new Uint8Array(16)))),
      'an ordered dictionary of protocol 0': () =>
        pickled(0, op.global('collections', 'OrderedDict'), op.mark(), op.tuple(), op.reduce()),
      'an estimator': () =>
        pickled(
          4,
          named('sklearn.preprocessing._data', 'StandardScaler'),
          op.emptyTuple(),
          op.newobj(),
          op.emptyDict(),
          op.mark(),
          text('with_mean'),
          op.true(),
          op.setitems(),
          op.build(),
        ),
      'training arguments': () =>
        pickled(
          2,
          named('transformers.trainer_utils', 'SchedulerType', 2),
          op.mark(),
          text('linear', 2),
          op.tuple(),
          op.reduce(),
        ),
    },
    contents: {
      'an estimator': 'library',
      'plain values': 'data',
      'an array of numpy': 'data',
      'an ordered dictionary of protocol 0': 'data',
      'training arguments': 'trainer',
    },
    reject: {
      'a call of os.system': () => hostilePickle,
      'a name on no list': () => pickled(4, call('some_library', 'thing')),
      'a callee that is computed': () => pickled(4, call('collections', 'OrderedDict'), op.emptyTuple(), op.reduce()),
      'a call before the stream breaks': () => hostilePickle.subarray(0, hostilePickle.length - 1),
      'a second stream that calls': () => bytes(pickled(4, list), hostilePickle),
      'an array whose bytes do not fit its type': () =>
        pickled(4, array('f8', 2, op.shortBinbytes(new Uint8Array(15)))),
    },
  },
  {
    format: 'joblib',
    accept: { 'an array': () => joblib('f8', 2, new Uint8Array(16)), 'no elements': () => joblib('f8', 0, '') },
    contents: { 'an array': 'data', 'no elements': 'data' },
    reject: {
      'a call behind the array': () =>
        pickled(4, wrapper('u1', 2), Uint8Array.of(1, 2), op.pop(), hostilePickle.subarray(2)),
      'objects that call': () => joblib('O', 1, hostilePickle),
      'an array that runs when read as opcodes': () => joblib('u1', evil.length, evil),
      'fewer bytes than the shape needs': () => joblib('f8', 200, new Uint8Array(16)),
    },
  },
];
