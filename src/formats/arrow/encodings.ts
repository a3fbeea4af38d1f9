import { within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Values of one page. */
export const VALUES = 16_000_000;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`);
};

/** Bytes of a page that are read one after the other. */
export type PageReader = { readonly bytes: Uint8Array; at: number };

const byte = (page: PageReader): number => page.bytes[page.at++] ?? invalid('a page ends early');

export const u32 = (page: PageReader): number =>
  byte(page) + byte(page) * 256 + byte(page) * 65536 + byte(page) * 2 ** 24;

/** An unsigned number in groups of seven bits. */
const varint = (page: PageReader): number => {
  let value = 0;
  for (let shift = 0; shift < 56; shift += 7) {
    const next = byte(page);
    value += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) return within('Parquet number', value, Number.MAX_SAFE_INTEGER);
  }
  return invalid('a number goes on');
};

/**
 * `count` small numbers of `width` bits in the hybrid of runs and packed groups (Encodings.md, RLE). What the page does
 * not say is an error, not a zero.
 */
export const readHybrid = (page: PageReader, width: number, count: number): Uint32Array => {
  if (width > 32) invalid('numbers of more than 32 bits');
  const out = new Uint32Array(within('Parquet values', count, VALUES));
  const bytesOfRun = Math.ceil(width / 8);
  let used = 0;
  while (used < count) {
    const header = varint(page);
    if (header % 2 === 0) {
      let value = 0;
      for (let index = 0; index < bytesOfRun; index++) value += byte(page) * 256 ** index;
      const end = Math.min(count, used + Math.floor(header / 2));
      if (end === used) invalid('an empty run');
      out.fill(value, used, end);
      used = end;
      continue;
    }
    const values = Math.floor(header / 2) * 8;
    if (values === 0) invalid('an empty group');
    used = unpack(page, width, values, out, used);
  }
  return out;
};

/** A group of packed numbers, lowest bit first. Numbers behind `out`'s end are padding. */
const unpack = (page: PageReader, width: number, values: number, out: Uint32Array, start: number): number => {
  const end = page.at + Math.ceil((values * width) / 8);
  let held = 0;
  let bits = 0;
  let used = start;
  for (let index = 0; index < values && used < out.length; index++) {
    while (bits < width) {
      held += byte(page) * 2 ** bits;
      bits += 8;
    }
    const size = 2 ** width;
    out[used++] = held % size;
    held = Math.floor(held / size);
    bits -= width;
  }
  page.at = Math.min(end, page.bytes.length);
  return used;
};

/** Numbers by their differences (Encodings.md, DELTA_BINARY_PACKED): lengths, which fit into 2^53. */
const readDeltas = (page: PageReader): number[] => {
  const block = varint(page);
  const minis = varint(page);
  const count = within('Parquet values', varint(page), VALUES);
  const first = zigzag(page);
  if (minis === 0 || minis > 512 || block === 0 || block > 65536 || block % minis !== 0)
    invalid('wrong sizes of blocks');
  const out: number[] = count > 0 ? [first] : [];
  let value = first;
  while (out.length < count) {
    const least = zigzag(page);
    const widths = Array.from({ length: minis }, () => byte(page));
    for (const width of widths) {
      if (out.length >= count) break;
      if (width > 40) invalid('differences of more than 40 bits');
      const packed = new Float64Array(block / minis);
      unpackWide(page, width, packed);
      for (const more of packed) {
        if (out.length >= count) break;
        value += least + more;
        out.push(value);
      }
    }
  }
  return out;
};

const zigzag = (page: PageReader): number => {
  const value = varint(page);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
};

const unpackWide = (page: PageReader, width: number, out: Float64Array): void => {
  let held = 0;
  let bits = 0;
  for (let index = 0; index < out.length; index++) {
    while (bits < width) {
      held += byte(page) * 2 ** bits;
      bits += 8;
    }
    const size = 2 ** width;
    out[index] = held % size;
    held = Math.floor(held / size);
    bits -= width;
  }
};

const take = (page: PageReader, length: number): Uint8Array => {
  if (length < 0 || length > page.bytes.length - page.at) invalid('a cell leaves its page');
  page.at += length;
  return page.bytes.subarray(page.at - length, page.at);
};

/** `count` cells, each behind its length. */
export const readPlain = (page: PageReader, count: number): Uint8Array[] => {
  const cells: Uint8Array[] = [];
  for (let index = 0; index < count; index++) cells.push(take(page, u32(page)));
  return cells;
};

/** Cells behind all their lengths (DELTA_LENGTH_BYTE_ARRAY). */
export const readDeltaLengths = (page: PageReader): Uint8Array[] =>
  readDeltas(page).map((length) => take(page, length));

/** Cells that share beginnings with the one before (DELTA_BYTE_ARRAY). */
export const readDeltaStrings = (page: PageReader, most: number): Uint8Array[] => {
  const shared = readDeltas(page);
  const rests = readDeltaLengths(page);
  let before = new Uint8Array();
  let total = 0;
  return rests.map((rest, index) => {
    const kept = shared[index] ?? 0;
    if (kept < 0 || kept > before.length) invalid('a cell shares more than there is');
    total = within('Parquet text of one page', total + kept + rest.length, most);
    const cell = new Uint8Array(kept + rest.length);
    cell.set(before.subarray(0, kept));
    cell.set(rest, kept);
    before = cell;
    return cell;
  });
};
