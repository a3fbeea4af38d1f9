import { within } from '../../../bytes/limits.ts';
import { WeighbridgeError } from '../../../errors.ts';
import { type PageReader, VALUES } from '../encodings.ts';

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`);
};

const varint = (page: PageReader): bigint => {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const next = page.bytes[page.at++] ?? invalid('a page ends early');
    value |= BigInt(next & 0x7f) << shift;
    if (next < 0x80) return value;
  }
  return invalid('a number goes on');
};

const zigzag = (page: PageReader): bigint => {
  const value = varint(page);
  return (value >> 1n) ^ -(value & 1n);
};

/**
 * Whole numbers of `width` bytes by their differences (Encodings.md, DELTA_BINARY_PACKED), as PLAIN has them. Sums run
 * over their ends as the writers' do.
 */
export const readWideDeltas = (page: PageReader, width: 4 | 8): Uint8Array => {
  const block = Number(varint(page));
  const minis = Number(varint(page));
  const count = within('Parquet values', Number(varint(page)), VALUES);
  if (minis === 0 || minis > 512 || block === 0 || block > 65536 || block % minis !== 0 || (block / minis) % 8 !== 0)
    invalid('wrong sizes of blocks');
  const out = new Uint8Array(count * width);
  const view = new DataView(out.buffer);
  let value = zigzag(page);
  let used = 0;
  const put = (): void => {
    if (width === 8) view.setBigInt64(used * 8, BigInt.asIntN(64, value), true);
    else view.setInt32(used * 4, Number(BigInt.asIntN(32, value)), true);
    used += 1;
  };
  if (count > 0) put();
  while (used < count) {
    const least = zigzag(page);
    const widths = page.bytes.subarray(page.at, page.at + minis);
    if (widths.length < minis) invalid('a page ends early');
    page.at += minis;
    for (const bits of widths) {
      if (used >= count) break;
      if (bits > 64) invalid('differences of more than 64 bits');
      const packed = page.bytes.subarray(page.at, page.at + (block / minis / 8) * bits);
      page.at += packed.length;
      for (let index = 0; index < block / minis && used < count; index++) {
        value = BigInt.asIntN(64, value + least + unpacked(packed, index * bits, bits));
        put();
      }
    }
  }
  return out;
};

/** A number of `bits` bits from bit `start`, lowest first. */
const unpacked = (packed: Uint8Array, start: number, bits: number): bigint => {
  let value = 0n;
  if (bits === 0) return value;
  const first = start >> 3;
  const last = (start + bits - 1) >> 3;
  if (last >= packed.length) invalid('a page ends early');
  for (let at = last; at >= first; at--) value = (value << 8n) | BigInt(packed[at] ?? 0);
  return BigInt.asUintN(bits, value >> BigInt(start & 7));
};
