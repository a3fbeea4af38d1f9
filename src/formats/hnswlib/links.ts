import { MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';

/** Bytes of one file: thirty million elements need as many. */
const BYTES = 256 * MIB;
/** Bytes in which the first element above the lowest level stands; one in sixteen does. An index without is smaller. */
const BEGINNING = 4096;
/** Neighbours of an element on one level, and levels; ten times what anybody uses. */
const NEIGHBOURS = 5000;
const LEVELS = 64;
/** Bytes read at once, and so of one list: a read through the sandbox wall costs 150 to 350 microseconds at any length. */
const WINDOW = 512 * 1024;
/** Bytes of a number: a length, a count or a neighbour. */
const WORD = 4;
/** Bytes of the smallest level: its count and two neighbours. */
const SMALLEST = 3 * WORD;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `hnswlib links: ${message}`, { offset });
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * True when the list consists of levels of `each` bytes: a count of 16 bits, a mark, and neighbours among the elements.
 * Places that are not in use are zero, or hold a neighbour of before.
 */
const isOfLevels = (list: DataView, each: number, elements: number): boolean => {
  for (let at = 0; at < list.byteLength; at += WORD) {
    const word = list.getUint32(at, true);
    const fits = at % each === 0 ? (word & 0xffff) <= each / WORD - 1 && word >>> 17 === 0 : word < elements;
    if (!fits) return false;
  }
  return true;
};

/** True when zeros stand before a first list that may be one; or when there are but few elements, none with a list. */
const beginsWithLists = (head: Uint8Array, size: number): boolean => {
  const view = viewOf(head);
  let at = 0;
  while (at + WORD <= head.length && view.getUint32(at, true) === 0) at += WORD;
  if (at === head.length) return at === size;
  if (at + SMALLEST > head.length) return false;
  const length = view.getUint32(at, true);
  const end = at + WORD + length;
  if (length % WORD !== 0 || length < SMALLEST || end > size || end > head.length) return false;
  if (end + WORD <= head.length && view.getUint32(end, true) % WORD !== 0) return false;
  const list = new DataView(view.buffer, view.byteOffset + at + WORD, length);
  if (list.getUint32(0, true) === 0) return false;
  for (let levels = 1; levels <= LEVELS && levels * SMALLEST <= length; levels++)
    if ((length / levels) % WORD === 0 && isOfLevels(list, length / levels, size / WORD)) return true;
  return false;
};

/** The graph above the lowest level, of an index of hnswlib that Chroma keeps in parts. */
export const hnswlibLinks: Format = {
  name: 'hnswlib-links',
  title: 'hnswlib upper levels (Chroma)',
  recognisedBy:
    'of files that nothing else recognises: a length for each element, zero but for few, and its neighbours',
  checks: 'lists to the last byte, all levels of one size, every neighbour exists',
  references: ['https://github.com/chroma-core/hnswlib/blob/master/hnswlib/hnswalg.h', 'CWE-125'],
  lastResort: true,
  recognise: (head, source) => source.size <= BYTES && beginsWithLists(head.subarray(0, BEGINNING), source.size),
  inspect(source, { budget }): Inspection {
    budget.spend('steps', Math.ceil(source.size / WORD));
    let each = 0;
    const elements = eachList(source, (list, at) => {
      if (list.byteLength % WORD !== 0) invalid('a list of no whole number of neighbours', at);
      each = divisor(list.byteLength, each);
    });
    if (each > (NEIGHBOURS + 1) * WORD || (each > 0 && each < SMALLEST)) invalid('levels of no common size', 0);
    eachList(source, (list, at) => {
      if (list.byteLength / each > LEVELS) invalid('more levels than there are', at);
      if (!isOfLevels(list, each, elements)) invalid('a neighbour that does not exist', at);
    });
    return {
      format: 'hnswlib-links',
      content: 'inert',
      coverage: complete(source.size),
      details: { elements, neighbours: Math.max(0, each / WORD - 1) },
    };
  },
};

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** Visits the lists that are not empty; how many there are with those that are. Throws where one leads out of the file. */
const eachList = (source: RandomAccess, visit: (list: DataView, at: number) => void): number => {
  let elements = 0;
  for (let start = 0; start < source.size; ) {
    const bytes = source.read(start, Math.min(WINDOW, source.size - start));
    const view = viewOf(bytes);
    let at = 0;
    while (at + WORD <= bytes.length) {
      const length = view.getUint32(at, true);
      if (at + WORD + length > bytes.length) break;
      if (length > 0) visit(new DataView(view.buffer, view.byteOffset + at + WORD, length), start + at);
      elements += 1;
      at += WORD + length;
    }
    if (at === 0) invalid('a list that leads out of the file, or is too long', start);
    start += at;
  }
  return elements;
};
