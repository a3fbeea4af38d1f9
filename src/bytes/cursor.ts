import { WeighbridgeError } from '../errors.ts';
import type { RandomAccess } from './random-access.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads little-endian numbers, bytes and text one after the other; every read is checked against the source's end. */
export type Cursor = {
  readonly source: RandomAccess;
  /** Offset of the next byte. May be set; a read from outside throws FORMAT_TRUNCATED. */
  position: number;
  remaining(): number;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  /** A 64-bit count; throws LIMIT_EXCEEDED above 2^53-1, which no file can honestly need. */
  u64(): number;
  i64(): bigint;
  f32(): number;
  f64(): number;
  bytes(length: number): Uint8Array;
  /** `length` bytes as strict UTF-8; throws FORMAT_INVALID otherwise. */
  text(length: number): string;
  skip(length: number): void;
};

/** A cursor over `source` that starts at `start`. */
export const createCursor = (source: RandomAccess, start = 0): Cursor => {
  let position = start;
  const view = (length: number): DataView => {
    const bytes = source.read(position, length);
    position += length;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  return {
    source,
    get position() {
      return position;
    },
    set position(value) {
      position = value;
    },
    remaining: () => source.size - position,
    u8: () => view(1).getUint8(0),
    u16: () => view(2).getUint16(0, true),
    u32: () => view(4).getUint32(0, true),
    i32: () => view(4).getInt32(0, true),
    u64() {
      const at = position;
      const value = view(8).getBigUint64(0, true);
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new WeighbridgeError('LIMIT_EXCEEDED', `64-bit number ${value} at ${at} is over 2^53-1`, { offset: at });
      }
      return Number(value);
    },
    i64: () => view(8).getBigInt64(0, true),
    f32: () => view(4).getFloat32(0, true),
    f64: () => view(8).getFloat64(0, true),
    bytes(length) {
      const bytes = source.read(position, length);
      position += length;
      return bytes;
    },
    text(length) {
      const at = position;
      try {
        return utf8.decode(this.bytes(length));
      } catch (error) {
        if (error instanceof WeighbridgeError) throw error;
        throw new WeighbridgeError('FORMAT_INVALID', `text at ${at} is not UTF-8`, { offset: at });
      }
    },
    skip(length) {
      position += length;
    },
  };
};
