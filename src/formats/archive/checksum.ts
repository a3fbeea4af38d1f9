/** CRC-32 tables for eight bytes at a time (polynomial 0xEDB88320, as in zip, gzip and xz). */
const CRC32 = (() => {
  const table = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i += 1) {
    let value = i;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    table[i] = value;
  }
  for (let i = 256; i < table.length; i += 1) {
    const before = table[i - 256] ?? 0;
    table[i] = (before >>> 8) ^ (table[before & 255] ?? 0);
  }
  return table;
})();

const at = (row: number, value: number): number => CRC32[row * 256 + (value & 255)] ?? 0;

/** CRC-32 (ISO 3309) of `bytes`, going on from `before` (0 at the start). */
export const crc32 = (bytes: Uint8Array, before = 0): number => {
  let crc = ~before;
  let i = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (; i + 8 <= bytes.length; i += 8) {
    const low = view.getInt32(i, true) ^ crc;
    const high = view.getInt32(i + 4, true);
    crc =
      at(7, low) ^
      at(6, low >>> 8) ^
      at(5, low >>> 16) ^
      at(4, low >>> 24) ^
      at(3, high) ^
      at(2, high >>> 8) ^
      at(1, high >>> 16) ^
      at(0, high >>> 24);
  }
  for (; i < bytes.length; i += 1) crc = (crc >>> 8) ^ at(0, crc ^ (bytes[i] ?? 0));
  return ~crc >>> 0;
};

/** CRC-32C table (polynomial 0x82F63B78, Castagnoli). */
const CRC32C = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C (RFC 3720, B.4) of `bytes`; some writers let the register start with another number than all ones. */
export const crc32c = (bytes: Uint8Array, register = -1): number => {
  let crc = register;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC32C[(crc ^ byte) & 255] ?? 0);
  return ~crc >>> 0;
};

/** Adler-32 (RFC 1950) of `bytes`. */
export const adler32 = (bytes: Uint8Array): number => {
  let a = 1;
  let b = 0;
  // 3,800 additions of at most 255 each keep both sums under 2^32.
  for (let start = 0; start < bytes.length; start += 3800) {
    const end = Math.min(start + 3800, bytes.length);
    for (let i = start; i < end; i += 1) {
      a += bytes[i] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
};

/** CRC-64/XZ (ECMA-182, reflected) as two 32-bit halves; table entries alternate low, high. */
const CRC64 = (() => {
  const table = new Int32Array(512);
  for (let i = 0; i < 256; i += 1) {
    let low = i;
    let high = 0;
    for (let bit = 0; bit < 8; bit += 1) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= 0xd7870f42;
        high ^= 0xc96c5795;
      }
    }
    table[i * 2] = low;
    table[i * 2 + 1] = high;
  }
  return table;
})();

/** CRC-64 of the xz format (section 1.2.3 of its specification) of `bytes`. */
export const crc64 = (bytes: Uint8Array): bigint => {
  let low = -1;
  let high = -1;
  for (const byte of bytes) {
    const index = ((low ^ byte) & 255) * 2;
    low = ((low >>> 8) | (high << 24)) ^ (CRC64[index] ?? 0);
    high = (high >>> 8) ^ (CRC64[index + 1] ?? 0);
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
};

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

/** xxHash-32 with seed 0, as in lz4 frames. */
export const xxh32 = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let i = 0;
  let hash: number;
  if (bytes.length >= 16) {
    const lanes = [(P1 + P2) | 0, P2, 0, -P1 | 0];
    for (; i + 16 <= bytes.length; i += 16) {
      for (let lane = 0; lane < 4; lane += 1) {
        const value = (lanes[lane] ?? 0) + Math.imul(view.getInt32(i + lane * 4, true), P2);
        lanes[lane] = Math.imul(rotate(value | 0, 13), P1);
      }
    }
    const [a = 0, b = 0, c = 0, d = 0] = lanes;
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
  } else hash = P5;
  hash = (hash + bytes.length) | 0;
  for (; i + 4 <= bytes.length; i += 4) {
    hash = Math.imul(rotate((hash + Math.imul(view.getInt32(i, true), P3)) | 0, 17), P4);
  }
  for (; i < bytes.length; i += 1) {
    hash = Math.imul(rotate((hash + Math.imul(bytes[i] ?? 0, P5)) | 0, 11), P1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
};
