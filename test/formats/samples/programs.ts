import { bytecode, elf, oldBytecode, programs } from '../../support/media-writer.ts';
import { bytes } from '../../support/reports.ts';
import type { Samples } from './types.ts';

export const programSamples: readonly Samples[] = [
  {
    format: 'native',
    never: 'programs and libraries run when they are loaded',
    accept: {},
    reject: Object.fromEntries(Object.entries(programs).map(([name, file]) => [name, () => file])),
  },
  {
    format: 'python-bytecode',
    never: 'what bytecode does cannot be read from source',
    accept: {},
    reject: {
      'of Python 3': () => bytecode,
      'of Python 2': () => oldBytecode,
      'with a program behind it': () => bytes(bytecode, elf),
    },
  },
];
