import { createCursor } from '../../bytes/cursor.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { eachRecord } from '../numbers.ts';

/** Bytes of the header (hnswalg.h, saveIndex). */
const HEADER = 96;
/** Neighbours of an element on one level; ten times what anybody uses. */
const NEIGHBOURS = 10_000;
const LEVELS = 64;
/** Bytes of the count before the neighbours, of a neighbour, and of a label. */
const [COUNT, LINK, LABEL] = [4, 4, 8];

type Header = {
  readonly elements: number;
  readonly size: number;
  readonly labelAt: number;
  readonly dataAt: number;
  readonly top: number;
  readonly entry: number;
  readonly upper: number;
  readonly lower: number;
};

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `hnswlib: ${message}`, { offset });
};

/** The header when its numbers fit together; there is no magic number. */
const headerOf = (source: RandomAccess): Header | undefined => {
  if (source.size < HEADER) return undefined;
  const bytes = source.read(0, HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  const number = (at: number): number => Number(view.getBigUint64(at, true));
  const [first, most, elements, size] = [number(0), number(8), number(16), number(24)];
  const [labelAt, dataAt, top, entry] = [number(32), number(40), view.getInt32(48, true), view.getUint32(52, true)];
  const [upper, lower, given] = [number(56), number(64), number(72)];
  const fits =
    first === 0 &&
    elements > 0 &&
    elements <= most &&
    lower > 0 &&
    lower <= NEIGHBOURS &&
    upper === given &&
    lower === 2 * upper &&
    dataAt === COUNT + LINK * lower &&
    labelAt > dataAt &&
    size === labelAt + LABEL &&
    top >= 0 &&
    top < LEVELS &&
    entry < elements &&
    Number.isSafeInteger(elements * size) &&
    HEADER + elements * size < source.size;
  return fits ? { elements, size, labelAt, dataAt, top, entry, upper, lower } : undefined;
};

/** Indexes of hnswlib, which Chroma and others build upon: vectors, and the graph that finds them. */
export const hnswlib: Format = {
  name: 'hnswlib',
  title: 'hnswlib index',
  recognisedBy: 'a header of 96 bytes whose counts and offsets fit together',
  checks: 'vectors and graph to the last byte; every neighbour exists, on every level; the entry is on the highest',
  references: ['https://github.com/nmslib/hnswlib/blob/master/hnswlib/hnswalg.h', 'CWE-125'],
  recognise: (_head, source) => headerOf(source) !== undefined,
  inspect(source, { budget }): Inspection {
    const header = headerOf(source) ?? invalid('no header', 0);
    const { elements, size, lower, upper, top } = header;
    eachRecord(source, { offset: HEADER, count: elements, size }, budget, (view, at) => {
      const count = view.getUint16(at, true);
      if (count > lower) invalid('more neighbours than there is room for', HEADER);
      for (let index = 0; index < count; index++)
        if (view.getUint32(at + COUNT + LINK * index, true) >= elements)
          invalid('a neighbour that does not exist', HEADER);
    });
    budget.spend('steps', elements * (lower >> 3));
    const perLevel = COUNT + LINK * upper;
    const cursor = createCursor(source, HEADER + elements * size);
    budget.spend('steps', elements);
    for (let element = 0; element < elements; element++) {
      const at = cursor.position;
      const length = cursor.u32();
      if (length % perLevel !== 0 || length / perLevel > top) invalid('levels that do not exist', at);
      if (element === header.entry && length / perLevel !== top)
        invalid('an entry that is not on the highest level', at);
      eachRecord(
        source,
        { offset: cursor.position, count: length / perLevel, size: perLevel },
        budget,
        (view, place) => {
          const count = view.getUint16(place, true);
          if (count > upper) invalid('more neighbours than there is room for', at);
          for (let index = 0; index < count; index++)
            if (view.getUint32(place + COUNT + LINK * index, true) >= elements)
              invalid('a neighbour that does not exist', at);
        },
      );
      cursor.skip(length);
    }
    if (cursor.remaining() > 0) invalid('bytes follow the index', cursor.position);
    return {
      format: 'hnswlib',
      content: 'inert',
      coverage: complete(source.size),
      details: { vectors: elements, bytes: header.labelAt - header.dataAt },
    };
  },
};
