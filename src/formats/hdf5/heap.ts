import { within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { address, cursorAt, type Hdf5, invalid, length, signature, untilNul } from './file.ts';

/** Objects of one global heap collection. */
const OBJECTS = 1_000_000;
/** Bytes of a name in a local heap; most are short. */
const NAME = 64 * 1024;
const SHORT = 256;

/** The local heap at `start` (HDF5 file format 3.0, III.D), as a function from offsets to texts: names of links, targets. */
export const localHeap = (file: Hdf5, start: number): ((offset: number) => string) => {
  const cursor = cursorAt(file, start);
  signature(cursor, 'HEAP');
  cursor.skip(4);
  const size = length(file, cursor);
  length(file, cursor);
  const data = address(file, cursor);
  return (offset) => {
    if (data === undefined || offset >= size) return invalid('a name lies outside its heap', start);
    const short = file.source.read(data + offset, Math.min(SHORT, size - offset));
    return untilNul(short.includes(0) ? short : file.source.read(data + offset, Math.min(NAME, size - offset)));
  };
};

type Collection = ReadonlyMap<number, { readonly start: number; readonly size: number }>;
const known = new WeakMap<Hdf5, Map<number, Collection>>();

/** An object of the global heap collection at `start` (III.E): the value of a string of variable length. */
export const globalObject = (file: Hdf5, start: number, index: number): RandomAccess => {
  const cache = known.get(file) ?? new Map<number, Collection>();
  known.set(file, cache);
  const collection = cache.get(start) ?? readCollection(file, start);
  cache.set(start, collection);
  const object = collection.get(index);
  if (object === undefined) return invalid('a value is not in its heap', start);
  return section(file.source, object.start, object.start + object.size);
};

const readCollection = (file: Hdf5, start: number): Collection => {
  const cursor = cursorAt(file, start);
  signature(cursor, 'GCOL');
  cursor.skip(4);
  const end = start + length(file, cursor);
  const objects = new Map<number, { start: number; size: number }>();
  while (cursor.position + 8 + file.lengthSize <= end) {
    file.context.budget.spend('steps', 1);
    within('objects of a heap', objects.size + 1, OBJECTS);
    const index = cursor.u16();
    cursor.skip(6);
    const size = length(file, cursor);
    // Object 0 is the free space up to the end.
    if (index === 0) break;
    objects.set(index, { start: cursor.position, size });
    cursor.skip(Math.ceil(size / 8) * 8);
  }
  return objects;
};
