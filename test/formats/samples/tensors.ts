import { type GgufTensor, type GgufValue, gguf } from '../../support/gguf-writer.ts';
import { assemble } from '../../support/pickle-assembler.ts';
import { bytes } from '../../support/reports.ts';
import { float32, safetensors } from '../../support/safetensors-writer.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const weights = { w: { dtype: 'F32', shape: [2, 2], data: float32(1, 2, 3, 4) } };
const header = (begin: number, end: number): string =>
  `{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[${begin},${end}]}}`;

const values: Readonly<Record<string, GgufValue>> = {
  'general.architecture': { type: 'string', value: 'llama' },
  'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: ['<s>', 'hello'] },
};
const template = (value: string): Readonly<Record<string, GgufValue>> => ({
  ...values,
  'tokenizer.chat_template': { type: 'string', value },
});
/** Its bytes are a multiple of the alignment, so that no padding may be missing behind it. */
const quantised: GgufTensor = { name: 'a', dims: [512], type: 8, data: new Uint8Array(544) };

/** An array file as numpy.save writes it. */
export const npyFile = (descr: string, shape: string, data: Uint8Array | string): Uint8Array => {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = `${dict}${' '.repeat(63 - ((10 + dict.length) % 64))}\n`;
  return assemble('\x93NUMPY\x01\x00', Uint8Array.of(padded.length & 255, padded.length >> 8), padded, data);
};
const floats = npyFile('<f4', '(4,)', float32(1, 2, 3, 4));

export const tensorSamples: readonly Samples[] = [
  {
    format: 'safetensors',
    accept: {
      weights: () => safetensors(weights, { metadata: { format: 'pt' } }),
      'no tensors': () => safetensors({}),
    },
    reject: {
      'bytes behind the tensors': () => safetensors(weights, { trailing: hostilePickle }),
      'a gap before the tensor': () => safetensors(weights, { header: header(4, 20) }),
      'a tensor beyond the file': () => safetensors(weights, { header: header(0, 4096) }),
      'a key twice': () => safetensors(weights, { header: `{"w":{},${header(0, 16).slice(1)}` }),
    },
  },
  {
    format: 'gguf',
    accept: {
      quantised: () => gguf({ values, tensors: [quantised] }),
      'version 2 with a chat template': () =>
        gguf({ version: 2, values: template('{% for m in messages %}{{ m.content }}{% endfor %}') }),
    },
    reject: {
      'a template that leaves its sandbox': () => gguf({ values: template('{{ self.__init__.__globals__ }}') }),
      'bytes behind the tensors': () => gguf({ values, tensors: [quantised], trailing: bytes('anything') }),
      'more tensors than the file could hold': () => gguf({ values, counts: { tensors: 1n << 60n } }),
      'a tensor beyond the file': () => gguf({ values, tensors: [{ ...quantised, offset: 1 << 20 }] }),
    },
  },
  {
    format: 'npy',
    accept: {
      floats: () => floats,
      'text of fixed width': () => npyFile('<U3', '(2,)', new Uint8Array(24)),
    },
    reject: {
      'objects that call': () => npyFile('|O', '(1,)', hostilePickle),
      'a header that is an expression': () => npyFile("<f4' + x + '", '(1,)', float32(1)),
      'fewer bytes than the shape needs': () => npyFile('<f4', '(9,)', float32(1)),
      'bytes behind the array': () => bytes(floats, hostilePickle),
    },
  },
  {
    format: 'npz',
    accept: {
      stored: () => writeZip([{ name: 'w.npy', data: floats }]),
      deflated: () => writeZip([{ name: 'w.npy', data: floats, method: 'deflated' }]),
    },
    reject: {
      'objects that call': () => writeZip([{ name: 'w.npy', data: npyFile('|O', '(1,)', hostilePickle) }]),
      'a pickle named as an array': () => writeZip([{ name: 'w.npy', data: hostilePickle }]),
      'an array twice': () =>
        writeZip([
          { name: 'w.npy', data: floats },
          { name: 'w.npy', data: floats },
        ]),
    },
  },
];
