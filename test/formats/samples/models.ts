import { extension, map, type Packable, pack } from '../../support/msgpack-writer.ts';
import { message, type Value } from '../../support/protobuf-writer.ts';
import { bytes } from '../../support/reports.ts';
import { float32 } from '../../support/safetensors-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Field = readonly [number, Value];

const text = (key: string, value: string): Uint8Array => message([1, key], [2, value]);
const type = message([1, message([1, 1], [2, message([1, message([1, 2])])])]);
const valueInfo = (name: string): Uint8Array => message([1, name], [2, type]);
const tensor = (...more: readonly Field[]): Uint8Array => message([1, 2], [1, 2], [2, 1], [8, 'w'], ...more);
const onnx = (node: readonly Field[], weights: Uint8Array): Uint8Array => {
  const one = message([1, 'x'], [1, 'w'], [2, 'y'], ...node);
  const graph = message([1, one], [2, 'g'], [5, weights], [11, valueInfo('x')], [12, valueInfo('y')]);
  return message([1, 8], [2, 'writer'], [7, graph], [8, message([1, ''], [2, 17])]);
};
const weights = tensor([9, float32(1, 2, 3, 4)]);
const product: readonly Field[] = [[4, 'MatMul']];
const outside = (location: string): Uint8Array => onnx(product, tensor([13, text('location', location)], [14, 1]));

const array = (shape: readonly number[], dtype: string, data: Uint8Array): Packable =>
  extension(1, pack([shape, dtype, data]));
const flax = (kernel: Packable): Uint8Array => pack(map({ params: map({ dense: map({ kernel }) }) }));
const kernel = array([2, 2], 'float32', new Uint8Array(16));

export const modelSamples: readonly Samples[] = [
  {
    format: 'onnx',
    accept: { 'a product': () => onnx(product, weights), 'weights beside the model': () => outside('model.onnx_data') },
    reject: {
      'an operator of a library of its own': () =>
        onnx(
          [
            [4, 'Exec'],
            [7, 'com.evil'],
          ],
          weights,
        ),
      'an operator that runs Python': () =>
        onnx(
          [
            [4, 'PyOp'],
            [7, 'com.microsoft'],
          ],
          weights,
        ),
      'weights in a file elsewhere': () => outside('/etc/passwd'),
      'fewer weights than the shape needs': () => onnx(product, tensor([9, float32(1)])),
    },
    cuts: 'a message may end behind any field',
  },
  {
    format: 'flax',
    accept: { parameters: () => flax(kernel) },
    reject: {
      'a pickle among the bytes': () => flax(hostilePickle),
      'an extension that Flax does not write': () => flax(extension(99, hostilePickle)),
      'a shape that does not fit': () => flax(array([3], 'float32', new Uint8Array(8))),
      'bytes behind the value': () => bytes(flax(kernel), [0xc0]),
    },
  },
];
