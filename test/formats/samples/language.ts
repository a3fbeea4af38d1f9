import { crfModel } from '../../support/crfsuite-writer.ts';
import { f32, f64, u32, u64 } from '../../support/little-writer.ts';
import { message } from '../../support/protobuf-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const word = (text: string, kind: number): Uint8Array => bytes(text, [0], u64(1), [kind]);
const quantizer = (dimension: number): Uint8Array =>
  bytes(u32(dimension, 1, dimension, dimension), f32(...new Array(256 * dimension).fill(0)));
type FastText = {
  readonly words?: number;
  readonly rows?: number;
  readonly input?: Uint8Array;
  readonly quantised?: number;
  readonly kept?: number;
};
/** A classifier of two words and a label in two dimensions. */
const fastText = ({ words = 2, rows = 2, input, quantised = 0, kept = -1 }: FastText = {}): Uint8Array =>
  bytes(
    u32(0x2f4f16ba, 12),
    u32(2, 5, 5, 1, 5, 1, 3, 3, 0, 0, 0, 100),
    f64(0.0001),
    u32(3, words, 1),
    u64(10, kept),
    word('a', 0),
    word('b', 0),
    word('__label__x', 1),
    kept > 0 ? u32(7, 0) : new Uint8Array(),
    [quantised],
    input ?? bytes(u64(rows, 2), f32(1, 2, 3, 4)),
    [0],
    u64(1, 2),
    f32(5, 6),
  );
const quantised = bytes([1], u64(2, 2), u32(2), [0, 0], quantizer(2), [0, 0], quantizer(1));

const tensor = (type: number, dims: readonly number[], data: Uint8Array): Uint8Array => {
  const description = message([1, type], ...dims.map((size) => [2, size] as const));
  return bytes(u32(0), u64(0), u32(0, description.length), description, data);
};

/** A dictionary of one block whose first unit is given, and its guide. */
const wordGraph = (first = 1 << 10): Uint8Array =>
  bytes(u32(256, first, 0x80000001), new Uint8Array(4 * 254), u32(256), new Uint8Array(512));

/** Language models and taggers, and the weights of PaddlePaddle: numbers and words that native readers trust. */
export const languageSamples: readonly Samples[] = [
  {
    format: 'crfsuite',
    accept: { 'one feature': () => crfModel(), 'a transition': () => crfModel({ feature: [1, 0, 0] }) },
    reject: {
      'a feature of an attribute that does not exist': () => crfModel({ feature: [0, 1, 0] }),
      'a list of a feature that does not exist': () => crfModel({ named: 7 }),
      'a bucket that leads elsewhere': () => crfModel({ bucket: 24 }),
      'a table in which no search ends': () => crfModel({ empty: false }),
      'bytes behind the model': () => bytes(crfModel(), hostilePickle),
    },
  },
  {
    format: 'dawg',
    accept: { 'two words': () => wordGraph() },
    reject: {
      'a unit that leads out of the dictionary': () => wordGraph(1 << 20),
      'a unit that leads far out of it': () => wordGraph((1 << 12) | (1 << 9)),
      'a unit behind the last': () => wordGraph(256 << 10),
    },
  },
  {
    format: 'fasttext',
    accept: {
      'a classifier': () => fastText(),
      'a quantised one': () => fastText({ quantised: 1, input: quantised }),
    },
    reject: {
      'more words than there are': () => fastText({ words: 3 }),
      'a matrix with other rows': () => fastText({ rows: 1, input: bytes(u64(1, 2), f32(1, 2)) }),
      'a matrix beyond the file': () => fastText({ input: u64(2 ** 40, 2) }),
      'a bucket without its row': () => fastText({ kept: 1 }),
      'bytes behind the model': () => bytes(fastText(), hostilePickle),
    },
  },
  {
    format: 'paddle-params',
    accept: {
      'two tensors': () => bytes(tensor(5, [2, 1], f32(1, 2)), tensor(3, [1], u64(7))),
    },
    reject: {
      'fewer numbers than its shape needs': () => tensor(5, [2, 2], f32(1, 2)),
      'a type that is not known': () => tensor(5, [1], bytes(f32(1), tensor(99, [1], f32(1)))),
      'a shape beyond memory': () => tensor(5, [2 ** 40, 2 ** 40], f32(1)),
      'bytes behind the tensors': () => bytes(tensor(5, [1], f32(1)), hostilePickle),
    },
    cuts: 'a file may end behind any tensor',
  },
];
