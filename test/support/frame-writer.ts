import { xxh32 } from '../../src/formats/archive/checksum.ts';
import { xxh64 } from '../../src/formats/compressed/xxh64.ts';

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
};

/** An lz4 frame with one stored block and its checksum. */
export const lz4Frame = (plain: Uint8Array): Buffer => {
  const descriptor = Buffer.from([0x64, 0x40]);
  const head = [Buffer.from('04224d18', 'hex'), descriptor, Buffer.from([(xxh32(descriptor) >>> 8) & 255])];
  return Buffer.concat([...head, u32(plain.length | 0x80000000), plain, Buffer.alloc(4), u32(xxh32(plain))]);
};

/** A Zstandard frame with one stored block. */
export const zstdFrame = (plain: Uint8Array, checked = true): Buffer => {
  const head = Buffer.from('28b52ffd00', 'hex');
  head[4] = 0xa0 | (checked ? 4 : 0);
  const sum = u32(Number(xxh64(plain) & 0xffffffffn));
  const block = u32(1 | (plain.length << 3)).subarray(0, 3);
  return Buffer.concat([head, u32(plain.length), block, plain, ...(checked ? [sum] : [])]);
};
