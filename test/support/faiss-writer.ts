import { bytes } from './reports.ts';

const u32 = (...values: number[]): Uint8Array => {
  const out = new Uint8Array(4 * values.length);
  for (const [index, value] of values.entries()) new DataView(out.buffer).setInt32(4 * index, value, true);
  return out;
};
const u64 = (...values: number[]): Uint8Array =>
  bytes(...values.map((value) => u32((value % 2 ** 32) | 0, Math.floor(value / 2 ** 32) | 0)));
const header = (dimensions: number, vectors: number): Uint8Array =>
  bytes(u32(dimensions), u64(vectors, 1 << 20, 1 << 20), [1], u32(1));
const ints = (...values: number[]): Uint8Array => bytes(u64(values.length), u32(...values));
const longs = (...values: number[]): Uint8Array => bytes(u64(values.length), u64(...values));

/** Vectors one after the other; `values` is how many numbers there are. */
export const flat = (dimensions: number, vectors: number, values = dimensions * vectors): Uint8Array =>
  bytes('IxF2', header(dimensions, vectors), u64(values), new Uint8Array(4 * values));
/** An index whose vectors have ids. */
export const mapped = (inner: Uint8Array, vectors: number, ...ids: number[]): Uint8Array =>
  bytes('IxM2', header(2, vectors), inner, longs(...ids));
/** A graph of two vectors. */
export const graph = (neighbours: readonly number[] = [1, 0], offsets: readonly number[] = [0, 1, 2]): Uint8Array =>
  bytes(
    ...['IHNf', header(2, 2), longs(0), ints(0, 2), ints(1, 1)],
    ...[longs(...offsets), ints(...neighbours), u32(0, 0, 40, 16, 1), flat(2, 2)],
  );
/** Three vectors in two lists. */
export const inverted = (kind = 'full', sizes: readonly number[] = [1, 2]): Uint8Array =>
  bytes(
    ...['IwFl', header(2, 3), u64(2, 1), flat(2, 2), [0], u64(0), 'ilar', u64(2, 8), kind, longs(...sizes)],
    new Uint8Array(3 * 16),
  );
