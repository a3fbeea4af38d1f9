import { doubles, int, integers, list, NIL, rdsFile, strings, symbol, typed } from '../../support/r-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const frame = list([integers(1, 2), doubles(2)], [['names', strings('x', 'y')]]);
const little = (...numbers: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(numbers).buffer);
/** What `saveRDS(ascii = NA)` and `serialize(xdr = FALSE)` write on most machines. */
const native = (...value: Uint8Array[]): Uint8Array => bytes('B\n', little(3, 0x40201, 0x30500, 5), 'UTF-8', ...value);
const java = (...parts: (string | readonly number[])[]): Uint8Array => bytes([0xac, 0xed, 0, 5], ...parts);

/** Objects of other languages: reading them may evaluate what they hold. */
export const serialisedSamples: readonly Samples[] = [
  {
    format: 'rds',
    accept: {
      'a table': () => rdsFile(frame),
      'a table of version 2': () => rdsFile(frame, { version: 2 }),
      'numbers in the encoding of a machine': () => native(little(13, 3, 1, 2, 3)),
    },
    reject: {
      'a promise in the encoding of a machine': () =>
        native(little(5, 251, 6, 1, 9, 6), bytes('system'), little(2, 16, 1, 9, 2), bytes('id'), little(254)),
      'a vector beyond the file in the encoding of a machine': () => native(little(14, 3, 0)),
      'a promise': () => rdsFile(typed(5, int(251), typed(6, symbol('system'), typed(2, strings('id'), NIL)))),
      'a call': () => rdsFile(typed(6, symbol('system'), typed(2, strings('id'), NIL))),
      'a vector beyond the file': () => rdsFile(typed(13, int(0x7fffffff))),
      'bytes behind the value': () => bytes(rdsFile(frame), hostilePickle),
    },
  },
  {
    format: 'java-serialized',
    never: 'reading the stream constructs objects of any class that it names',
    accept: {},
    reject: {
      'a text': () => java([0x74, 0, 1], 'x'),
      nothing: () => java([0x70]),
      'an object': () => java([0x73, 0x72, 0, 4], 'Evil', [0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0x78, 0x70]),
    },
  },
];
