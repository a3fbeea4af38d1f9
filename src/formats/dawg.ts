import type { RandomAccess } from '../bytes/random-access.ts';
import { WeighbridgeError } from '../errors.ts';
import { complete, type Format, type Inspection } from './format.ts';
import { eachU32 } from './numbers.ts';

/** Units come in blocks of as many as there are labels (dawgdic, dictionary-builder.h). */
const BLOCK = 256;
/** Bytes of a unit of the dictionary, of one of the guide, and of the counts before both. */
const [UNIT, GUIDE, COUNTS] = [4, 2, 8];
/** A unit that holds a value and leads nowhere; the place of its offset, and the bit by which that is in blocks. */
const LEAF = 0x80000000;
const [OFFSET, FAR] = [10, 1 << 9];

const countAt = (source: RandomAccess, at: number): number => {
  const bytes = source.read(at, 4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
};

/** Units of a dictionary with its guide; 0 when the file is none. There is no magic number: the sizes must agree. */
const unitsOf = (source: RandomAccess): number => {
  const count = (source.size - COUNTS) / (UNIT + GUIDE);
  if (!Number.isSafeInteger(count) || count < BLOCK || count % BLOCK !== 0) return 0;
  return countAt(source, 0) === count && countAt(source, 4 + UNIT * count) === count ? count : 0;
};

/** Word graphs of dawgdic, as dictionaries of morphology keep their words: numbers that lead from letter to letter. */
export const dawg: Format = {
  name: 'dawg',
  title: 'Word graph (dawgdic)',
  recognisedBy:
    'the same count of units, in blocks of 256, before the dictionary and before its guide, which end the file',
  checks: 'every unit leads to one that exists, whatever letter follows',
  references: ['https://code.google.com/archive/p/dawgdic/', 'CWE-125'],
  recognise: (_head, source) => unitsOf(source) > 0,
  inspect(source, { budget }): Inspection {
    const units = unitsOf(source);
    eachU32(source, 4, units, budget, (unit, index) => {
      if (unit >= LEAF) return;
      const offset = ((unit >>> OFFSET) << ((unit & FAR) >>> 6)) >>> 0;
      // A letter changes the last eight bits only, and units come in blocks of that many.
      if ((index ^ offset) >>> 0 >= units)
        throw new WeighbridgeError('FORMAT_INVALID', 'DAWG: a unit leads out of the dictionary', {
          offset: 4 + UNIT * index,
        });
    });
    return { format: 'dawg', content: 'inert', coverage: complete(source.size), details: { units } };
  },
};
