import { bytes } from '../../support/reports.ts';
import type { Samples } from './types.ts';

/** An ncnn graph with the given layers, which says that it has `count` of them. */
const graph = (layers: readonly string[], count = layers.length): Uint8Array =>
  bytes(`7767517\n${count} ${count}\n${layers.join('\n')}\n`);
const INPUT = 'Input            data             0 1 data';
const CONVOLUTION = 'Convolution      conv             1 1 data out 0=3 1=3 5=1 6=81';

/** Indexes of bare weights that have no format in another family. */
export const indexSamples: readonly Samples[] = [
  {
    format: 'ncnn-param',
    accept: {
      'a convolution': () => graph([INPUT, CONVOLUTION]),
      'a layer of the application': () => graph([INPUT, 'MyLayer mine 1 1 data out 0=1']),
    },
    reject: {
      'more layers than it has': () => graph([INPUT, CONVOLUTION], 3),
      'fewer layers than it has': () => graph([INPUT, CONVOLUTION], 1),
      'no counts': () => bytes(`7767517\n${INPUT}\n`),
      'a layer without its outputs': () => graph([INPUT, 'ReLU relu 1 2 data']),
    },
    cuts: 'a layer may be written without its last parameters',
  },
];
