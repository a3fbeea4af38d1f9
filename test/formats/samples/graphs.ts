import { type Flat, flatBuffer, table, tables } from '../../support/flatbuffer-writer.ts';
import { message } from '../../support/protobuf-writer.ts';
import { bytes } from '../../support/reports.ts';
import { float32 } from '../../support/safetensors-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const END = 'a message may end behind any field';

const ADD = table({ 0: 0, 3: 0 });
const custom = (name: string) => table({ 0: 32, 1: name, 3: 32 });
type Changes = {
  readonly code?: ReturnType<typeof table>;
  readonly index?: number;
  readonly shape?: readonly number[];
};
/** A model with one tensor of four bytes each and one operator. */
const tflite = ({ code = ADD, index = 0, shape = [2] }: Changes = {}): Uint8Array => {
  const tensor = (name: string, buffer: number): ReturnType<typeof table> =>
    table({ 0: { integers: shape }, 1: 0, 2: buffer, 3: name });
  const operator = table({ 0: index, 1: { integers: [0, 0] }, 2: { integers: [1] } });
  const graph = table({
    0: tables(tensor('x', 1), tensor('y', 0)),
    1: { integers: [0] },
    2: { integers: [1] },
    3: tables(operator),
  });
  const buffers: Flat = tables(table({}), table({ 0: float32(1, 2) }));
  return flatBuffer('TFL3', table({ 0: 3, 1: tables(code), 2: tables(graph), 4: buffers }));
};

const coreml = (layer: number, parameters: Uint8Array): Uint8Array =>
  message(
    [1, 4],
    [2, message([100, message([1, 'sum'])])],
    [500, message([1, message([1, 'l'], [2, 'x'], [3, 'y'], [layer, parameters])])],
  );
const paddle = (operator: string): Uint8Array =>
  message([1, message([1, 0], [2, 0], [4, message([3, operator])])], [4, message([1, 0])]);

type Options = readonly (readonly [number, string | Uint8Array | number])[];
const calculator = (name: string, ...options: Options): Uint8Array =>
  message([2, name], ...(options.length === 0 ? [] : [[7, message(...options)] as const]));
/** A graph of MediaPipe: a packet for each pass, and the nodes. */
const mediapipe = (...nodes: readonly Uint8Array[]): Uint8Array =>
  message(
    [1, message([2, 'PassThroughCalculator'], [3, 'in'], [4, 'out'])],
    ...nodes.map((node) => [1, node] as const),
    [10, 'in'],
  );
const INFERENCE = 336783863;
const CONSTANT = 291214597;
/** A packet with a text, and a node that takes it. */
const textPacket = (tag: string): Uint8Array =>
  mediapipe(
    message(
      [2, 'ConstantSidePacketCalculator'],
      [6, 'PACKET:text'],
      [7, message([CONSTANT, message([1, message([4, '/etc/passwd'])])])],
    ),
    message([2, 'ObjectronGpuSubgraph'], [5, `${tag}:text`]),
  );

const u32s = (file: Uint8Array, ...changes: readonly (readonly [at: number, value: number])[]): Uint8Array => {
  const copy = Uint8Array.from(file);
  for (const [at, value] of changes) new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
};
/** Weights of a Core ML program: everything on a boundary of 64 bytes. */
const blobs = (...weights: readonly Uint8Array[]): Uint8Array => {
  let file = u32s(new Uint8Array(64), [0, weights.length], [4, 2]);
  for (const weight of weights) {
    const at = Math.ceil(file.length / 64) * 64;
    const entry = u32s(new Uint8Array(64), [0, 0xdeadbeef], [4, 2], [8, weight.length], [16, at + 64]);
    file = bytes(file, new Uint8Array(at - file.length), entry, weight);
  }
  return file;
};

export const graphSamples: readonly Samples[] = [
  {
    format: 'tflite',
    accept: { addition: () => tflite() },
    reject: {
      'an operator of a library': () => tflite({ code: custom('Evil') }),
      'an operator of TensorFlow that reads files': () => tflite({ code: custom('FlexReadFile') }),
      'an operator without a code': () => tflite({ index: 7 }),
      'a shape that does not fit': () => tflite({ shape: [9] }),
    },
  },
  {
    format: 'coreml',
    accept: { addition: () => coreml(230, message([1, 1])) },
    reject: {
      'a layer that is a class of the application': () => coreml(500, message([10, 'Evil'])),
      'a model that is a class of the application': () => message([1, 4], [555, message([10, 'Evil'])]),
      'a model in a form of its own': () => message([1, 4], [3000, 'x']),
      'a pickle behind the message': () => bytes(coreml(230, message([1, 1])), hostilePickle),
    },
    cuts: END,
  },
  {
    format: 'coreml-weights',
    accept: { 'two weights': () => blobs(float32(1, 2), float32(3)) },
    reject: {
      'more blobs than there are': () => u32s(blobs(float32(1)), [0, 2]),
      'a blob that begins elsewhere': () => u32s(blobs(float32(1)), [80, 0]),
      'a blob that is longer than the file': () => u32s(blobs(float32(1)), [72, 4096]),
      'a pickle behind the blobs': () => bytes(blobs(float32(1)), new Uint8Array(60), hostilePickle),
    },
    cuts: 'the file may end with the bytes of its last blob',
  },
  {
    format: 'mediapipe',
    accept: {
      'packets passed': () => mediapipe(),
      'a model beside the graph': () =>
        mediapipe(calculator('InferenceCalculator', [INFERENCE, message([1, 'models/face.tflite'])])),
      'a text of labels': () => textPacket('LABELS_CSV'),
      'a file that the caller names': () =>
        message([1, message([2, 'LocalFileContentsCalculator'], [5, 'FILE_PATH:path'])], [16, 'path']),
    },
    reject: {
      'a calculator that reads files': () => mediapipe(calculator('OpenCvVideoDecoderCalculator')),
      'a file that the graph names': () =>
        mediapipe(message([2, 'LocalFileContentsCalculator'], [5, 'FILE_PATH:path'])),
      'a calculator on no list': () => mediapipe(calculator('SurpriseCalculator')),
      'an operator of TensorFlow': () => mediapipe(calculator('ReadFile')),
      'a model elsewhere': () =>
        mediapipe(calculator('InferenceCalculator', [INFERENCE, message([1, '../../x.tflite'])])),
      'a folder to write to': () =>
        mediapipe(calculator('InferenceCalculator', [INFERENCE, message([5, message([2, message([7, '/tmp'])])])])),
      'a library to load': () =>
        mediapipe(
          calculator('InferenceCalculator', [
            INFERENCE,
            message([5, message([8, message([10, message([2, 'x.so'])])])]),
          ]),
        ),
      'a text that may be a path': () => textPacket('MODEL_PATH'),
      'options on no list': () => mediapipe(calculator('GateCalculator', [20001, message([1, 1])])),
      'an executor on no list': () => bytes(mediapipe(), message([14, message([2, 'SurpriseExecutor'])])),
      'a log that is written': () => bytes(mediapipe(), message([18, message([9, '/tmp/x'])])),
      'functions of TensorFlow': () => bytes(mediapipe(), message([2, message([1, message([1, message([1, 'f'])])])])),
      'a pickle behind the graph': () => bytes(mediapipe(), hostilePickle),
    },
    cuts: END,
  },
  {
    format: 'paddle',
    accept: { relu: () => paddle('relu') },
    reject: {
      'an operator that calls Python': () => paddle('py_func'),
      'an operator that writes files': () => paddle('save_combine'),
      'an operator on no list': () => paddle('surprise'),
    },
    cuts: END,
  },
];
