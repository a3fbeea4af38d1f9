import { hdf5, link, type Node } from '../../support/hdf5-writer.ts';
import { bytes } from '../../support/reports.ts';
import { float32 } from '../../support/safetensors-writer.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const architecture = (layer: string): string =>
  JSON.stringify({
    module: 'keras',
    class_name: 'Sequential',
    config: { name: 's', layers: [{ module: 'keras.layers', class_name: layer, config: { name: 'x', units: 2 } }] },
    registered_name: null,
  });
const weights: Node = { data: { shape: [2, 2], bytes: float32(1, 2, 3, 4) } };
const model = (layer: string): Node => ({
  attributes: { model_config: architecture(layer) },
  children: { weights },
});
const archive = (layer: string, file = hdf5({ children: { weights } }), more = ''): Uint8Array =>
  writeZip([
    { name: 'metadata.json', data: '{"keras_version": "3.8.0"}' },
    { name: 'config.json', data: architecture(layer) },
    { name: 'model.weights.h5', data: file },
    ...(more === '' ? [] : [{ name: more, data: hostilePickle }]),
  ]);
const outside = hdf5({ messages: [link('x', 64, bytes([0], '/etc/passwd\0/data\0'))] });

export const kerasSamples: readonly Samples[] = [
  {
    format: 'hdf5',
    accept: {
      'weights and architecture': () => hdf5(model('Dense')),
      'the same in the old form': () => hdf5(model('Dense'), { old: true }),
    },
    reject: {
      'a layer of code': () => hdf5(model('Lambda')),
      'a layer of code in the old form': () => hdf5(model('Lambda'), { old: true }),
      'a link into another file': () => outside,
      'a pickle behind the file': () => hdf5(model('Dense'), { trailing: hostilePickle }),
    },
  },
  {
    format: 'keras',
    accept: { 'a model': () => archive('Dense') },
    reject: {
      'a layer of code': () => archive('Lambda'),
      'a layer that unpickles': () => archive('TorchModuleWrapper'),
      'weights in another file': () => archive('Dense', outside),
      'a pickle among the members': () => archive('Dense', hdf5({}), 'assets/table.pkl'),
    },
  },
];
