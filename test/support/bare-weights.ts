import { leveldbTable } from './leveldb-writer.ts';
import { message, type Value } from './protobuf-writer.ts';
import { float32 } from './safetensors-writer.ts';

// Bytes of tensors without a format around them, and the indexes that lay them out.

/** `count` floats in which no loader recognises anything. */
export const floats = (count: number): Uint8Array =>
  float32(...Array.from({ length: count }, (_, index) => Math.sin(index + 1) * 1e-3));

type Variable = { readonly size: number; readonly offset?: number; readonly type?: number; readonly shard?: number };

/** The index of a TensorFlow checkpoint: variables of bytes (type 4), one behind the other unless an offset is given. */
export const checkpointIndex = (variables: readonly Variable[], shards = 1): Uint8Array => {
  let end = 0;
  const entries = variables.map(({ size, offset = end, type = 4, shard = 0 }, index) => {
    end = offset + size;
    const shape = message([2, message([1, size])]);
    const entry = message([1, type], [2, shape], [3, shard], [4, offset], [5, size], [6, { fixed32: 1 }]);
    return [`variable/${String(index).padStart(3, '0')}`, entry] as const;
  });
  return leveldbTable([['', message([1, shards], [3, message([1, 1])])], ...entries]);
};

/** An ONNX model of one operator, with tensors of bytes (type 2) in the file `location`. */
export const onnxBeside = (
  location: string,
  tensors: readonly { readonly offset: number; readonly size: number }[],
  operator = 'MatMul',
  domain = '',
): Uint8Array => {
  const text = (key: string, value: string): Value => message([1, key], [2, value]);
  const initializers = tensors.map(({ offset, size }, index) =>
    message(
      [1, size],
      [2, 2],
      [8, `w${index}`],
      ...[
        ['location', location],
        ['offset', String(offset)],
        ['length', String(size)],
      ].map(([key = '', value = '']) => [13, text(key, value)] as const),
      [14, 1],
    ),
  );
  const node = message([1, 'x'], [1, 'w0'], [2, 'y'], [4, operator], [7, domain]);
  const graph = message([1, node], [2, 'g'], ...initializers.map((one) => [5, one] as const));
  return message([1, 8], [2, 'writer'], [7, graph], [8, message([1, ''], [2, 17])]);
};

/** A TensorFlow.js model whose only group has `sizes` bytes of weights in the files `paths`. */
export const tfjsModel = (paths: readonly string[], sizes: readonly number[]): string =>
  JSON.stringify({
    format: 'graph-model',
    modelTopology: { node: [] },
    weightsManifest: [
      { paths, weights: sizes.map((size, index) => ({ name: `w${index}`, shape: [size], dtype: 'bool' })) },
    ],
  });

/** An OpenVINO graph of constants of bytes, each at its place in the weights. */
export const openvinoGraph = (constants: readonly { readonly offset: number; readonly size: number }[]): string => {
  const layers = constants.map(
    ({ offset, size }, id) =>
      `<layer id="${id}" name="c${id}" type="Const" version="opset1">` +
      `<data element_type="u8" shape="${size}" offset="${offset}" size="${size}"/></layer>`,
  );
  return `<?xml version="1.0"?><net name="m" version="11"><layers>${layers.join('')}</layers><edges/></net>`;
};

/** An ncnn graph of one layer with `numbers` weights and three biases. */
export const ncnnGraph = (numbers: number): string =>
  `7767517\n2 2\nInput data 0 1 data\nConvolution conv 1 1 data out 0=3 1=1 5=1 6=${numbers}\n`;

/** The weights of that layer, each of `width` bytes behind the mark that says so. */
export const ncnnWeights = (numbers: number, mark: number, width: number): Uint8Array => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(mark);
  const padding = Buffer.alloc((4 - ((numbers * width) % 4)) % 4);
  const weights = floats(Math.ceil((numbers * width) / 4)).subarray(0, numbers * width);
  return Buffer.concat([head, weights, padding, floats(3)]);
};
