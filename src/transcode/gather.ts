import { MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { DTYPES, type PlanTensor } from '../formats/format.ts';
import type { PlanSource } from './types.ts';

/** Output bytes that are put together at a time. */
const PIECE_BYTES = 8 * MIB;
/** Bytes of the source that are looked at at a time. */
const WINDOW_BYTES = 1 * MIB;

/** True when the elements lie one after the other in C order, so that they can be copied as they are. */
export const isContiguous = (tensor: PlanTensor): boolean => {
  let expected = 1;
  for (let axis = tensor.shape.length - 1; axis >= 0; axis -= 1) {
    const extent = tensor.shape[axis] ?? 0;
    if (extent === 0) return true;
    if (extent !== 1 && tensor.strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
};

/**
 * The bytes `from` to `to` (exclusive, counted in the tensor's C-order output) of a strided or big-endian tensor.
 * Each piece of the output is filled in the order of the source, so that a transposed matrix is read once per piece.
 */
export async function* gather(
  tensor: PlanTensor,
  storage: PlanSource,
  byteOrder: 'little' | 'big',
  from: number,
  to: number,
): AsyncGenerator<Uint8Array> {
  const width = DTYPES[tensor.dtype];
  const perPiece = Math.floor(PIECE_BYTES / width);
  for (let first = Math.floor(from / width); first * width < to; first += perPiece) {
    const last = Math.min(first + perPiece, Math.ceil(to / width));
    const piece = await fill(tensor, storage, first, last);
    if (byteOrder === 'big') swap(piece, tensor.dtype === 'C64' ? 4 : width);
    yield piece.subarray(Math.max(from - first * width, 0), Math.min(to, last * width) - first * width);
  }
}

/** The elements `first` to `last` (exclusive) of the output. */
const fill = async (tensor: PlanTensor, storage: PlanSource, first: number, last: number): Promise<Uint8Array> => {
  const width = DTYPES[tensor.dtype];
  const out = new Uint8Array((last - first) * width);
  const positions = sourcePositions(tensor, first, last);
  const order = new Uint32Array(positions.length)
    .map((_, index) => index)
    .sort((a, b) => (positions[a] ?? 0) - (positions[b] ?? 0));
  let window = new Uint8Array(0);
  let windowStart = 0;
  for (const index of order) {
    const at = (positions[index] ?? 0) * width;
    if (at < windowStart || at + width > windowStart + window.length) {
      windowStart = at;
      if (at + width > storage.size)
        throw new WeighbridgeError('UPSTREAM_MISMATCH', `${tensor.name} leaves its storage`);
      window = new Uint8Array(await storage.read(at, Math.min(WINDOW_BYTES, storage.size - at)));
    }
    for (let byte = 0; byte < width; byte += 1) out[index * width + byte] = window[at - windowStart + byte] ?? 0;
  }
  return out;
};

/** For each output element of the piece: its element index in the storage. */
const sourcePositions = (tensor: PlanTensor, first: number, last: number): Float64Array => {
  const { shape, strides } = tensor;
  const index = new Array<number>(shape.length).fill(0);
  let rest = first;
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    const extent = shape[axis] ?? 1;
    index[axis] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  let position = tensor.offset + index.reduce((sum, value, axis) => sum + value * (strides[axis] ?? 0), 0);
  const positions = new Float64Array(last - first);
  for (let element = 0; element < positions.length; element += 1) {
    positions[element] = position;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const extent = shape[axis] ?? 1;
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      if (next < extent) {
        index[axis] = next;
        position += stride;
        break;
      }
      index[axis] = 0;
      position -= stride * (extent - 1);
    }
  }
  return positions;
};

const swap = (bytes: Uint8Array, width: number): void => {
  for (let at = 0; at + width <= bytes.length; at += width) bytes.subarray(at, at + width).reverse();
};
