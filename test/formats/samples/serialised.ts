import { doubles, int, integers, list, NIL, rdsFile, strings, symbol, typed } from '../../support/r-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const frame = list([integers(1, 2), doubles(2)], [['names', strings('x', 'y')]]);
const java = (...parts: (string | readonly number[])[]): Uint8Array => bytes([0xac, 0xed, 0, 5], ...parts);

/** Objects of other languages: reading them may evaluate what they hold. */
export const serialisedSamples: readonly Samples[] = [
  {
    format: 'rds',
    accept: { 'a table': () => rdsFile(frame), 'a table of version 2': () => rdsFile(frame, { version: 2 }) },
    reject: {
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
