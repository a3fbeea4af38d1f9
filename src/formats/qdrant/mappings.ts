import { createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Companion, complete, type Format, type Inspection } from '../format.ts';
import { bitsOf } from './numbers.ts';

/** Bytes of one file: some forty million points. */
const BYTES = 1024 * MIB;
/** Bytes of the count, of the number of a point inside, and of one outside: a number or a UUID. */
const [COUNT, INSIDE, NUMBER, UUID] = [8, 4, 8, 16];
/** The first byte of a change: a point that came or went, by number or by UUID. */
const [INSERT_NUMBER, INSERT_UUID, DELETE_NUMBER, DELETE_UUID] = [1, 2, 3, 4];
/** Entries that are looked at to recognise a file, and bytes read at once. */
const [PEEKED, WINDOW] = [32, 65_520];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant mappings: ${message}`, { offset });
};

/** Bytes of the entry that begins with `kind`; 0 when none does. */
const lengthOf = (kind: number, listed: boolean): number => {
  if (listed) return kind === 0 ? 1 + NUMBER + INSIDE : kind === 1 ? 1 + UUID + INSIDE : 0;
  if (kind === INSERT_NUMBER) return 1 + NUMBER + INSIDE;
  if (kind === INSERT_UUID) return 1 + UUID + INSIDE;
  if (kind === DELETE_NUMBER) return 1 + NUMBER;
  return kind === DELETE_UUID ? 1 + UUID : 0;
};

/** The count of a list; undefined for a file that cannot be one, and may be a log of changes. */
const countOf = (source: RandomAccess): number | undefined => {
  if (source.size < COUNT + 1 + NUMBER + INSIDE) return undefined;
  const bytes = source.read(0, COUNT);
  const count = new DataView(bytes.buffer, bytes.byteOffset, COUNT).getBigUint64(0, true);
  const rest = source.size - COUNT;
  const fits = count > 0n && count * 13n <= BigInt(rest) && count * 21n >= BigInt(rest);
  return fits ? Number(count) : undefined;
};

/** Which points there are (`id_tracker.mappings`): a list that never changes, or every change. */
export const qdrantMappings: Format = {
  name: 'qdrant-mappings',
  title: 'Numbers of points of Qdrant',
  recognisedBy: 'of files that nothing else recognises: points one after the other, each with its number inside',
  checks: 'entries to the last byte, numbers inside that exist',
  references: [
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/id_tracker/immutable_id_tracker/mappings_storage.rs',
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/id_tracker/mutable_id_tracker/change.rs',
  ],
  lastResort: true,
  recognise(head, source, provisional) {
    if (provisional === true || source.size < 1 + NUMBER + INSIDE || source.size > BYTES) return false;
    const count = countOf(source);
    const entries = source.size / (1 + NUMBER);
    let at = count === undefined ? 0 : COUNT;
    for (let index = 0; index < PEEKED && at < head.length; index++) {
      const length = lengthOf(head[at] ?? 255, count !== undefined);
      if (length === 0) return false;
      if (at + length > head.length) return source.size > head.length;
      const inserts = count !== undefined || (head[at] ?? 0) <= INSERT_UUID;
      if (
        inserts &&
        new DataView(head.buffer, head.byteOffset + at + length - INSIDE, INSIDE).getUint32(0, true) > entries
      )
        return false;
      at += length;
    }
    return true;
  },
  inspect(source, { budget }): Inspection {
    within('bytes of mappings', source.size, BYTES);
    const count = countOf(source);
    const most = count ?? Math.floor(source.size / (1 + NUMBER));
    let [entries, last] = [0, -1];
    for (let at = count === undefined ? 0 : COUNT; at < source.size; ) {
      const window = source.read(at, Math.min(WINDOW, source.size - at));
      const cursor = createCursor(fromBytes(window));
      for (let kind = window[0] ?? 255; ; kind = window[cursor.position] ?? 255) {
        const length = lengthOf(kind, count !== undefined);
        if (length === 0) invalid('an entry of a kind that is not known', at + cursor.position);
        if (length > cursor.remaining()) break;
        budget.spend('steps', 1);
        entries += 1;
        cursor.skip(length - INSIDE);
        const inside = cursor.u32();
        if (count !== undefined || kind <= INSERT_UUID) {
          if (inside >= most) invalid('a number that does not exist', at + cursor.position - INSIDE);
          last = Math.max(last, inside);
        }
        if (cursor.remaining() === 0) break;
      }
      if (cursor.position === 0) invalid('an entry without its end', at);
      at += cursor.position;
    }
    if (count !== undefined && entries !== count) invalid('another number of points than it says', 0);
    return {
      format: 'qdrant-mappings',
      content: 'inert',
      coverage: complete(source.size),
      details: { entries },
      companions: companionsOf(count ?? last + 1, count !== undefined),
    };
  },
};

/** The version of each point lies beside them; and beside a list a bit for each that went, in words of eight bytes. */
const companionsOf = (points: number, listed: boolean): Companion[] => {
  const bare = (name: string, size: number): Companion => ({ names: [name], sameStem: false, size, fixed: [] });
  if (!listed) return points === 0 ? [] : [bare('mutable_id_tracker.versions', COUNT * points)];
  return [bare('id_tracker.versions', COUNT * points), bare('id_tracker.deleted', bitsOf(points))];
};
