import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Companion, Format, Inspection } from '../format.ts';
import { complete } from '../format.ts';

/** Bytes of a header, which are all that its file has; the version that the fork has had since it writes parts. */
const SIZE = 100;
const VERSION = 1;
/** Neighbours of an element on one level; ten times what anybody uses. */
const NEIGHBOURS = 10_000;
const LEVELS = 64;
/** Elements of one index: their numbers are 32 bits. */
const ELEMENTS = 2 ** 32;
/** Bytes of the count before the neighbours, of a neighbour, of a label and of a length of a vector. */
const [COUNT, LINK, LABEL, LENGTH] = [4, 4, 8, 4];

type Header = {
  readonly room: number;
  readonly elements: number;
  readonly size: number;
  readonly vector: number;
  readonly lower: number;
};

/** The header when it has all that a loader relies on; there is no magic number. */
const headerOf = (source: RandomAccess): Header | undefined => {
  if (source.size !== SIZE) return undefined;
  const bytes = source.read(0, SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, SIZE);
  const number = (at: number): number => Number(view.getBigUint64(at, true));
  const [first, room, elements, size] = [number(4), number(12), number(20), number(28)];
  const [labelAt, dataAt, lower] = [number(36), number(44), number(68)];
  const fits =
    view.getUint32(0, true) === VERSION &&
    first === 0 &&
    room < ELEMENTS &&
    lower > 0 &&
    lower <= NEIGHBOURS &&
    lower === 2 * number(60) &&
    dataAt === COUNT + LINK * lower &&
    labelAt > dataAt &&
    size === labelAt + LABEL &&
    Number.isSafeInteger(room * size);
  return fits ? { room, elements, size, vector: labelAt - dataAt, lower } : undefined;
};

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `header of hnswlib: ${message}`, { offset });
};

/**
 * Headers of the indexes that Chroma keeps in parts (its fork of hnswlib): they say how large the vectors and the graph
 * in the files beside them are, which have no mark of their own.
 */
export const hnswlibHeader: Format = {
  name: 'hnswlib-header',
  title: 'hnswlib index in parts (Chroma)',
  recognisedBy: 'a header of 100 bytes whose counts and offsets fit together',
  checks:
    'counts, levels and the entry; lays out `data_level0.bin`, each of whose neighbours must exist, and `length.bin`, both with or without the room that is not used yet',
  references: ['https://github.com/chroma-core/hnswlib/blob/master/hnswlib/hnswalg.h', 'CWE-125'],
  recognise: (_head, source) => headerOf(source) !== undefined,
  inspect(source): Inspection {
    const { room, elements, size, vector, lower } = headerOf(source) ?? invalid('no header', 0);
    const bytes = source.read(0, SIZE);
    const view = new DataView(bytes.buffer, bytes.byteOffset, SIZE);
    const [top, entry, upper, given] = [view.getInt32(52, true), view.getUint32(56, true), 60, 76];
    if (elements > room) invalid('more elements than there is room for', 20);
    if (view.getBigUint64(upper, true) !== view.getBigUint64(given, true)) invalid('two numbers of neighbours', given);
    if (top < -1 || top >= LEVELS || (top === -1) !== (elements === 0)) invalid('levels that do not exist', 52);
    if (elements > 0 && entry >= elements) invalid('an entry that does not exist', 56);
    const graph = { count: elements, size, most: lower };
    const laidOut = (name: string, total: number): Companion => ({
      names: [name],
      sameStem: false,
      size: total,
      fixed: [],
      ...(name.startsWith('data') ? { graph } : {}),
    });
    const counts = [...new Set([elements, room])].filter((count) => count > 0);
    return {
      format: 'hnswlib-header',
      content: 'inert',
      coverage: complete(SIZE),
      details: { vectors: elements, bytes: vector },
      companions: counts.flatMap((count) => [
        laidOut('data_level0.bin', count * size),
        laidOut('length.bin', count * LENGTH),
      ]),
    };
  },
};
