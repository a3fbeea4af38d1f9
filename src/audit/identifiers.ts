import { randomFillSync } from 'node:crypto';

/** Random bytes drawn at a time: a call for each id would cost more than the id. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** So many random bytes (at most a few dozen) as hex digits: an identifier, never a secret. */
export const randomHex = (bytes: number): string => {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
};

/** A UUID version 7 (RFC 9562 section 5.7) for `time`, in ms since the epoch. */
export const uuidv7 = (time: number): string => {
  const random = randomHex(10);
  // The variant is 10 in binary: 8, 9, a or b.
  const variant = '89ab'.charAt(Number.parseInt(random.charAt(0), 16) % 4);
  const stamp = time.toString(16).padStart(12, '0');
  return `${stamp.slice(0, 8)}-${stamp.slice(8)}-7${random.slice(2, 5)}-${variant}${random.slice(5, 8)}-${random.slice(8, 20)}`;
};
