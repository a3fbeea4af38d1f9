import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';

/** scrypt (RFC 7914): 32 MiB and three passes, a quarter of a second; one of the settings that OWASP names as enough. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
/** Bytes: what these settings take, with room. */
const MAX_MEMORY = 64 * 1024 * 1024;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Hashes computed at a time, and how many more may wait: beyond that whoever knocks is told to come later. */
const AT_ONCE = 2;
const MAX_WAITING = 20;

type Cost = typeof COST;

let running = 0;
const waiting: (() => void)[] = [];

/** What is kept of a password: `scrypt:N:r:p:salt:hash`, so that later versions can ask for more and still read this. */
export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join(':');
};

/** Whether `password` is the kept one. Takes as long where there is no account: `kept` is then undefined. */
export const isPassword = async (password: string, kept: string | undefined): Promise<boolean> => {
  const [scheme, N, r, p, salt = '', hash = ''] = (kept ?? '').split(':');
  if (scheme !== 'scrypt') {
    await derive(password, randomBytes(SALT_BYTES), COST);
    return false;
  }
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const found = await derive(password, Buffer.from(salt, 'base64url'), cost);
  const expected = Buffer.from(hash, 'base64url');
  return found.length === expected.length && timingSafeEqual(found, expected);
};

const derive = async (password: string, salt: Uint8Array, cost: Cost): Promise<Buffer> => {
  await enter();
  try {
    return await new Promise((resolve, reject) => {
      // The same text may be typed as different code points (RFC 8265 asks for NFC).
      const bytes = Buffer.from(password.normalize('NFC'));
      const options = { ...cost, maxmem: MAX_MEMORY };
      scrypt(bytes, salt, HASH_BYTES, options, (error, key) => (error === null ? resolve(key) : reject(error)));
    });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
};

const enter = async (): Promise<void> => {
  if (running < AT_ONCE) {
    running += 1;
    return;
  }
  if (waiting.length >= MAX_WAITING) throw new WeighbridgeError('RATE_LIMITED', 'too many sign in at once');
  await new Promise<void>((resolve) => void waiting.push(resolve));
};
