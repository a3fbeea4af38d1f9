import { type Budget, MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { crc32c } from '../archive/checksum.ts';
import { complete, type Format, type Inspection } from '../format.ts';

/** Bytes of the header, and of the place of one value. */
const [HEADER, SLOT] = [4, 16];
/** Bytes of the room that is made at first (`Tracker::DEFAULT_SIZE`); more is added by the page of memory. */
const ROOM = 4096;
/** Pages, and bytes of one value: both far beyond what a store may have. */
const [PAGES, VALUE] = [1 << 20, 1 << 30];
/** Bytes before changes, of one change, and of all of them that are written at once. */
const [BEFORE, CHANGE, CHANGES] = [8, 20, 64 * MIB];
/** Places that are looked at to recognise a file, and read at once. */
const [PEEKED, MANY] = [16, 16_384];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant tracker: ${message}`, { offset });
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Whether a value is at this place, or nothing; undefined when it says neither (`OptionalPointer`). */
const slotAt = (view: DataView, at: number): boolean | undefined => {
  const [mark, page, block, length] = [0, 4, 8, 12].map((field) => view.getUint32(at + field, true));
  if (mark === 0) return page === 0 && block === 0 && length === 0 ? false : undefined;
  const fits = mark === 1 && (page ?? PAGES) < PAGES && (length ?? 0) > 0 && (length ?? VALUE) < VALUE;
  return fits ? true : undefined;
};

const countOf = (source: RandomAccess): number => viewOf(source.read(0, HEADER)).getUint32(0, true);

/** Where the values of points are in the pages of Gridstore (`tracker.dat`). */
export const qdrantTracker: Format = {
  name: 'qdrant-tracker',
  title: 'Places of values of Qdrant (Gridstore)',
  recognisedBy:
    'a count, and places of values at the start of a room made ahead; or changes of places behind their length and CRC-32C',
  checks: 'every place, and nothing but zeros behind the last; changes to the last byte with their checksums',
  references: ['https://github.com/qdrant/qdrant/blob/master/lib/blobstore/src/tracker/mod.rs'],
  recognise(head, source, provisional) {
    if (provisional === true || source.size < HEADER + SLOT) return false;
    if (isJournal(source)) return true;
    if (source.size % ROOM !== 0) return false;
    const count = countOf(source);
    if (count === 0 || count > (source.size - HEADER) / SLOT) return false;
    const view = viewOf(head);
    let used = 0;
    for (let index = 0; index < Math.min(count, PEEKED); index++) {
      const slot = slotAt(view, HEADER + index * SLOT);
      if (slot === undefined) return false;
      if (slot) used += 1;
    }
    return used > 0;
  },
  inspect(source, { budget }): Inspection {
    if (isJournal(source)) return readJournal(source, budget);
    const count = countOf(source);
    budget.spend('steps', count);
    let values = 0;
    for (let first = 0; first < count; first += MANY) {
      const slots = Math.min(MANY, count - first);
      const view = viewOf(source.read(HEADER + first * SLOT, slots * SLOT));
      for (let index = 0; index < slots; index++) {
        const slot = slotAt(view, index * SLOT) ?? invalid('no place of a value', HEADER + (first + index) * SLOT);
        if (slot) values += 1;
      }
    }
    expectZeros(source, HEADER + count * SLOT);
    return { format: 'qdrant-tracker', content: 'inert', coverage: complete(source.size), details: { values } };
  },
};

const expectZeros = (source: RandomAccess, from: number): void => {
  for (let at = from; at < source.size; at += MANY * SLOT) {
    const rest = source.read(at, Math.min(MANY * SLOT, source.size - at));
    if (rest.some((byte) => byte !== 0)) invalid('bytes behind the last place', at);
  }
};

/** The changes at `at`, when they are as their length and checksum say. */
const changesAt = (source: RandomAccess, at: number): DataView | undefined => {
  if (at + BEFORE > source.size) return undefined;
  const before = viewOf(source.read(at, BEFORE));
  const [length, sum] = [before.getUint32(0, true), before.getUint32(4, true)];
  const fits = length > 0 && length % CHANGE === 0 && length <= CHANGES && length <= source.size - at - BEFORE;
  if (!fits) return undefined;
  const changes = source.read(at + BEFORE, length);
  return crc32c(changes) === sum ? viewOf(changes) : undefined;
};

const isJournal = (source: RandomAccess): boolean => changesAt(source, 0) !== undefined;

/** Changes of places that are not in their file yet (`tracker_journal.dat`): of a point, what a place says. */
const readJournal = (source: RandomAccess, budget: Budget): Inspection => {
  let values = 0;
  for (let at = 0; at < source.size; ) {
    const changes = changesAt(source, at) ?? invalid('changes that are damaged', at);
    budget.spend('steps', changes.byteLength / CHANGE);
    for (let change = 0; change < changes.byteLength; change += CHANGE)
      if (slotAt(changes, change + HEADER) ?? invalid('no place of a value', at + BEFORE + change)) values += 1;
    at += BEFORE + changes.byteLength;
  }
  return { format: 'qdrant-tracker', content: 'inert', coverage: complete(source.size), details: { values } };
};
