import { createHash, randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** Whether one more of this key may pass now. */
export type Throttle = { take(key: string): boolean };

/**
 * Lets `burst` of each key pass at once and `perSecond` after that. Keys are dealt into `slots` buckets by a hash that nobody
 * outside can compute: memory is bounded, nobody pushes another's count out, and two that share one only wait longer.
 */
export const createThrottle = (
  { burst, perSecond, slots }: { readonly burst: number; readonly perSecond: number; readonly slots: number },
  now: () => number = Date.now,
): Throttle => {
  const salt = randomBytes(16);
  const left = new Float64Array(slots).fill(burst);
  const at = new Float64Array(slots).fill(now());
  return {
    take(key) {
      const slot = createHash('sha256').update(salt).update(key).digest().readUInt32LE(0) % slots;
      const time = now();
      const gained = (Math.max(0, time - (at[slot] ?? time)) / 1000) * perSecond;
      const allowance = Math.min(burst, (left[slot] ?? 0) + gained);
      at[slot] = time;
      left[slot] = allowance >= 1 ? allowance - 1 : allowance;
      return allowance >= 1;
    },
  };
};

/** An address as far as one caller has it: of IPv6 the first 64 bits, which everybody is given whole. */
export const addressKey = (ip: string): string => {
  if (!isIPv6(ip) || ip.toLowerCase().startsWith('::ffff:')) return ip;
  const [head = '', tail] = ip.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return [...first, ...Array<string>(zeros).fill('0'), ...last].slice(0, 4).join(':');
};
