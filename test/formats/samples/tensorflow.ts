import { leveldbTable } from '../../support/leveldb-writer.ts';
import { message, type Value } from '../../support/protobuf-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Field = readonly [number, Value];

const END = 'a message may end behind any field';

const graph = (operator: string): Uint8Array =>
  message([1, message([1, 'x'], [2, 'Placeholder'])], [1, message([1, 'y'], [2, operator], [3, 'x'], [3, 'x'])]);
const metaGraph = (operator: string): Uint8Array => message([1, message([4, 'serve'])], [2, graph(operator)]);
const savedModel = (operator: string): Uint8Array => message([1, 1], [2, metaGraph(operator)]);

/** What a graph of any packing must refuse. */
const graphSamples = (format: string, pack: (operator: string) => Uint8Array): Samples => ({
  format,
  accept: { addition: () => pack('AddV2') },
  reject: {
    'an operator that reads files': () => pack('ReadFile'),
    'an operator that writes files': () => pack('WriteFile'),
    'an operator that calls Python': () => pack('PyFunc'),
    'an operator on no list': () => pack('Surprise'),
    'a pickle behind the message': () => bytes(pack('AddV2'), hostilePickle),
  },
  cuts: END,
});

const keras = (metadata: unknown): Uint8Array =>
  message([
    1,
    message([2, 0], [3, 'root'], [4, '_tf_keras_layer'], [5, JSON.stringify(metadata)], [6, message([1, 2])]),
  ]);
const dense = { class_name: 'Dense', config: { name: 'dense', units: 2 } };
const lambda = { class_name: 'Lambda', config: { name: 'x', function: ['4wEAAAA=', null, null] } };

const fingerprint = (...more: readonly Field[]): Uint8Array =>
  message([1, 11], [2, 12], [3, 13], [6, message([1, 1])], [7, '0123'], ...more);

const header = message([1, 1], [3, message([1, 1])]);
const variable = (...more: readonly Field[]): Uint8Array => {
  const told = new Set(more.map(([number]) => number));
  const fields: readonly Field[] = [
    [1, 1],
    [2, message([2, message([1, 4])])],
    [5, 16],
    [6, { fixed32: 7 }],
  ];
  return message(...fields.filter(([number]) => !told.has(number)), ...more);
};
const checkpoint = (...variables: readonly Uint8Array[]): Uint8Array =>
  leveldbTable([['', header], ...variables.map((one, index) => [`layer/${index}`, one] as const)]);

export const tensorflowSamples: readonly Samples[] = [
  graphSamples('tf-savedmodel', savedModel),
  graphSamples('tf-metagraph', metaGraph),
  graphSamples('tf-graphdef', graph),
  {
    format: 'keras-metadata',
    accept: { 'a layer': () => keras(dense) },
    reject: {
      'a layer of code': () => keras(lambda),
      'text that is not JSON': () =>
        message([1, message([2, 0], [3, 'root'], [4, '_tf_keras_layer'], [5, '{"class_name"'], [6, message([1, 2])])]),
      'a pickle behind the message': () => bytes(keras(dense), hostilePickle),
    },
    cuts: END,
  },
  {
    format: 'tf-fingerprint',
    accept: { fingerprint: () => fingerprint() },
    reject: {
      'a hash twice': () => fingerprint([1, 21]),
      'an identifier twice': () => fingerprint([7, '4567']),
      'a version twice': () => fingerprint([6, message([1, 2])]),
    },
    cuts: END,
  },
  {
    format: 'tf-checkpoint-index',
    accept: { 'two variables': () => checkpoint(variable([3, 0]), variable([4, 16])) },
    reject: {
      'a shard that does not exist': () => checkpoint(variable([3, 7])),
      'a size that does not fit the shape': () => checkpoint(variable([5, 99])),
      'a field that nobody knows': () => checkpoint(variable([99, 1])),
      'no header': () => leveldbTable([['a', variable()]]),
      'a block that is compressed': () => leveldbTable([['', header]], { type: 1 }),
      'bytes between the blocks': () => leveldbTable([['', header]], { gap: hostilePickle }),
    },
  },
];
