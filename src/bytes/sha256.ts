/** The first 32 bits of the fractional parts of the square or cube roots of the first primes (FIPS 180-4, 4.2.2, 5.3.3). */
const roots = (count: number, power: number): Uint32Array => {
  const out = new Uint32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate && prime; divisor++) prime = candidate % divisor !== 0;
    if (prime) out[found++] = (candidate ** power % 1) * 2 ** 32;
  }
  return out;
};
const CONSTANTS = roots(64, 1 / 3);
const START = roots(8, 1 / 2);
/** Bytes of a block, and of the length behind the padding. */
const BLOCK = 64;
const LENGTH = 8;

const turned = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/**
 * SHA-256 (FIPS 180-4) as 64 hex digits, for code in the isolate, which has no hash of its own; elsewhere `node:crypto`
 * is faster.
 */
export const sha256Hex = (bytes: Uint8Array): string => {
  const state = START.slice();
  const words = new Uint32Array(64);
  const whole = bytes.length - (bytes.length % BLOCK);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += BLOCK) mix(state, words, view, at);
  const rest = bytes.subarray(whole);
  const last = new Uint8Array(rest.length + 1 + LENGTH > BLOCK ? 2 * BLOCK : BLOCK);
  last.set(rest);
  last[rest.length] = 0x80;
  const ending = new DataView(last.buffer);
  ending.setBigUint64(last.length - LENGTH, BigInt(bytes.length) * 8n);
  for (let at = 0; at < last.length; at += BLOCK) mix(state, words, ending, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
};

/** One block into the state (FIPS 180-4, 6.2.2). */
const mix = (state: Uint32Array, words: Uint32Array, view: DataView, at: number): void => {
  for (let index = 0; index < 16; index++) words[index] = view.getUint32(at + index * 4);
  for (let index = 16; index < 64; index++) {
    const near = words[index - 2] ?? 0;
    const far = words[index - 15] ?? 0;
    const small0 = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    const small1 = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    words[index] = (words[index - 16] ?? 0) + small0 + (words[index - 7] ?? 0) + small1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let index = 0; index < 64; index++) {
    const large1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const first = (h + large1 + ((e & f) ^ (~e & g)) + (CONSTANTS[index] ?? 0) + (words[index] ?? 0)) | 0;
    const large0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const second = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  for (const [index, word] of [a, b, c, d, e, f, g, h].entries()) state[index] = (state[index] ?? 0) + word;
};
