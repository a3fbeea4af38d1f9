import { randomFillSync } from 'node:crypto';

/** Random bytes drawn at a time: a call for each id would cost more than the id. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** A UUID version 7 (RFC 9562 section 5.7) for `time`, in ms since the epoch. */
export const uuidv7 = (time: number): string => {
  if (used + 10 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.toString('hex', used, used + 10);
  // The variant is 10 in binary: 8, 9, a or b.
  const variant = '89ab'.charAt((pool[used] ?? 0) % 4);
  used += 10;
  const stamp = time.toString(16).padStart(12, '0');
  return `${stamp.slice(0, 8)}-${stamp.slice(8)}-7${random.slice(2, 5)}-${variant}${random.slice(5, 8)}-${random.slice(8, 20)}`;
};
