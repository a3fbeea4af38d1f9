import type { Budget } from '../bytes/limits.ts';
import { checkRange, type RandomAccess } from '../bytes/random-access.ts';

/** Bytes read at once: a read through the sandbox wall costs 150 to 350 microseconds whatever its length. */
const WINDOW = 256 * 1024;
/** Records that cost a step. */
const RECORDS = 4;

/**
 * Visits `count` records of `size` bytes that stand one after the other from `offset` on; `view` and `at` say where a
 * record is. Throws FORMAT_TRUNCATED when they do not lie inside the source.
 */
export const eachRecord = (
  source: RandomAccess,
  { offset, count, size }: { readonly offset: number; readonly count: number; readonly size: number },
  budget: Budget,
  visit: (view: DataView, at: number, index: number) => void,
): void => {
  checkRange(source.size, offset, count * size);
  budget.spend('steps', Math.ceil(count / RECORDS));
  const most = Math.max(1, Math.floor(WINDOW / size));
  for (let first = 0; first < count; first += most) {
    const records = Math.min(most, count - first);
    const bytes = source.read(offset + first * size, records * size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let index = 0; index < records; index++) visit(view, index * size, first + index);
  }
};

/** Visits `count` little-endian 32-bit numbers from `offset` on. */
export const eachU32 = (
  source: RandomAccess,
  offset: number,
  count: number,
  budget: Budget,
  visit: (value: number, index: number) => void,
): void =>
  eachRecord(source, { offset, count, size: 4 }, budget, (view, at, index) => visit(view.getUint32(at, true), index));
