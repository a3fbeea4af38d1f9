import {
  arrowEnd,
  arrowMessage,
  footer,
  group,
  pair,
  parquet,
  parquetFile,
  piece,
  sentencepieces,
} from '../../support/columns-writer.ts';
import { u32 } from '../../support/little-writer.ts';
import { bytes } from '../../support/reports.ts';
import type { Samples } from './types.ts';

const base64 = (value: string): string => Buffer.from(value).toString('base64');
const stream = bytes(arrowMessage(new Uint8Array()), arrowMessage(bytes('12345678')), arrowEnd);

/** The file form, whose messages begin at `start`, behind padding that ends in `last`. */
const arrowFile = (start: number, last = 0): Uint8Array => {
  const padding = new Uint8Array(start - 6);
  padding[padding.length - 1] = last;
  return bytes('ARROW1', padding, stream, 'footer..', u32(8), 'ARROW1');
};

export const dataSamples: readonly Samples[] = [
  {
    format: 'parquet',
    accept: {
      'a column': () => parquetFile('12345678', footer([], [group(4, 8)])),
      'facts of a data set': () => parquet(pair('huggingface', '{"info": {}}')),
    },
    reject: {
      'an extension type that unpickles': () => parquet(pair('ARROW:schema', base64('arrow.py_extension_type'))),
      'a column outside the file': () => parquetFile('12345678', footer([], [group(4, 60)])),
      'something behind the end': () => bytes(parquet(), 'x'),
    },
  },
  {
    format: 'arrow',
    accept: { stream: () => stream, file: () => arrowFile(8), 'file that is aligned to 64': () => arrowFile(64) },
    reject: {
      'an extension type that unpickles': () =>
        bytes(arrowMessage(new Uint8Array(), 'arrow.py_extension_type'), arrowEnd),
      'a body that is cut': () => arrowMessage(bytes('12345678')).subarray(0, 78),
      'something behind the end': () => bytes(stream, 'x'),
      'something in the padding at the start': () => arrowFile(64, 1),
    },
    cuts: 'a stream may end behind any message',
  },
  {
    format: 'sentencepiece',
    accept: { vocabulary: () => sentencepieces },
    reject: {
      'an unknown field': () => bytes(sentencepieces, [0x3a, 1, 0]),
      'a field beyond the file': () => bytes(sentencepieces, [0x0a, 100, 0]),
      'a piece with an unknown field': () => bytes(piece('a'), [0x0a, 3, 0x2a, 1, 0]),
    },
    cuts: 'a message may end behind any field',
  },
];
