import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Companion, complete, type Format, type Inspection } from '../format.ts';

/** Bytes of the mark, and of a number. */
const [MARK, NUMBER] = [4, 4];
/** Bytes of one file: a hundred million vectors of some hundred numbers. */
const BYTES = 64 * 1024 ** 3;
/** Bytes read at once. */
const WINDOW = 524_288;
/** Numbers of a vector, and bytes of a word of bits. */
const [DIMENSIONS, WORD] = [65_536, 8];
/** `drop`, as a number. */
const DROP = 0x706f7264;
/** Exponents of numbers from 2^-64 to 2^40: what a model makes of a text or a picture lies far within. */
const [LOWEST, HIGHEST] = [127 - 64, 127 + 40];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant vectors: ${message}`, { offset });
};

const markOf = (head: Uint8Array): string => String.fromCharCode(...head.subarray(0, MARK));

/** Dense vectors that never change (`matrix.dat`), and which of them went (`deleted.dat`, while none did). */
export const qdrantVectors: Format = {
  name: 'qdrant-vectors',
  title: 'Vectors of Qdrant',
  recognisedBy: 'of files that nothing else recognises: `data` at the start, or `drop` and nothing but zeros',
  checks:
    'numbers of 32 bits to the last byte, every one of them finite and of a size that vectors have; or zeros alone',
  references: [
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/vector_storage/dense/immutable_dense_vectors.rs',
  ],
  lastResort: true,
  recognise(head, source, provisional) {
    if (source.size <= MARK || source.size > BYTES) return false;
    return markOf(head) === 'data' || (markOf(head) === 'drop' && provisional !== true && isRoom(source));
  },
  inspect(source, { budget }): Inspection {
    within('bytes of vectors', source.size, BYTES);
    budget.spend('steps', Math.ceil(source.size / WINDOW));
    const whole = { format: 'qdrant-vectors', content: 'inert', coverage: complete(source.size) } as const;
    if (markOf(source.read(0, MARK)) === 'drop')
      return isRoom(source) ? whole : invalid('bytes that are no zeros', MARK);
    if ((source.size - MARK) % NUMBER !== 0) invalid('no whole number of numbers', source.size);
    for (const { part, at } of partsOf(source)) checkNumbers(part, at);
    const numbers = (source.size - MARK) / NUMBER;
    return { ...whole, details: { numbers }, companions: bitsOf(numbers) };
  },
};

const partsOf = function* (source: RandomAccess) {
  for (let at = MARK; at < source.size; at += WINDOW)
    yield { part: source.read(at, Math.min(WINDOW, source.size - at)), at };
};

const isRoom = (source: RandomAccess): boolean => {
  for (const { part } of partsOf(source)) if (part.some((byte) => byte !== 0)) return false;
  return true;
};

const checkNumbers = (part: Uint8Array, at: number): void => {
  const view = new DataView(part.buffer, part.byteOffset, part.length);
  for (let offset = 0; offset < part.length; offset += NUMBER) {
    const bits = view.getUint32(offset, true);
    const exponent = (bits >>> 23) & 0xff;
    const fits = (bits & 0x7fffffff) === 0 || (exponent >= LOWEST && exponent <= HIGHEST);
    if (!fits) invalid('a number that no vector has', at + offset);
  }
};

/** A bit for each vector that went lies beside them, in words of eight bytes behind the mark: for any number of vectors. */
const bitsOf = (numbers: number): Companion[] => {
  const sizes = new Set<number>();
  for (let dimensions = 1; dimensions <= DIMENSIONS; dimensions++)
    if (numbers % dimensions === 0) sizes.add(WORD + WORD * Math.ceil(numbers / dimensions / (8 * WORD)));
  return [...sizes].map((size) => ({
    names: ['deleted.dat'],
    sameStem: false,
    size,
    fixed: [{ offset: 0, length: WORD, value: DROP }],
  }));
};
