import { createCursor } from '../../bytes/cursor.ts';
import { type Budget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { crc32c } from '../archive/checksum.ts';
import { createSink } from '../archive/sink.ts';
import { decodeZstd } from '../compressed/zstd.ts';
import { CHECKSUM, HEADER, partEnd } from './ending.ts';

/** Bytes of one part, and of what it becomes: writers stop at 8 MiB. */
const PART = 64 * MIB;
/** Bits of one number. */
const BITS = 64n;

export const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `OCDBT: ${message}`, { offset });
};

/** Reads the content of a part. */
export type PartReader = {
  readonly remaining: () => number;
  readonly u8: () => number;
  readonly skip: (bytes: number) => void;
  readonly bytes: (length: number) => Uint8Array;
  /** A number of seven bits a byte, the lowest first. */
  readonly varint: () => bigint;
  /** The same, where it counts something; throws LIMIT_EXCEEDED above 2^53-1. */
  readonly count: () => number;
  /** `length` counts. */
  readonly counts: (length: number) => number[];
};

export type Part = { readonly magic: number; readonly end: number; readonly body: PartReader };

/** Opens the part at `start`: its length, versions and checksum are as they must be. */
export const openPart = (source: RandomAccess, start: number, budget: Budget): Part => {
  const end = partEnd(source, start) ?? invalid('no part where one must begin', start);
  const length = within('OCDBT part bytes', end - start, PART);
  const bytes = source.read(start, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  budget.spend('steps', 1 + (length >> 3));
  if (crc32c(bytes.subarray(0, length - CHECKSUM)) !== view.getUint32(length - CHECKSUM, true))
    invalid('a wrong checksum', start);
  const [version, compression] = [view.getUint8(12), view.getUint8(13)];
  if (version !== 0 || compression > 1) invalid('an unknown version or compression', start);
  const stored = section(fromBytes(bytes), HEADER, length - CHECKSUM);
  return {
    magic: view.getUint32(0),
    end,
    body: readerOf(compression === 0 ? stored : inflated(stored, start, budget), start),
  };
};

const inflated = (stored: RandomAccess, start: number, budget: Budget): RandomAccess => {
  const input = createByteReader(stored);
  const sink = createSink(stored.size, budget, PART);
  decodeZstd(input, sink, () => undefined);
  if (input.position !== stored.size) invalid('bytes behind the content of a part', start);
  return fromBytes(sink.finish());
};

const readerOf = (content: RandomAccess, start: number): PartReader => {
  const cursor = createCursor(content);
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < BITS; shift += 7n) {
      const byte = cursor.u8();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value >> BITS === 0n ? value : invalid('a number is too large', start);
    }
    return invalid('a number is too long', start);
  };
  const count = (): number => {
    const value = varint();
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? invalid('a number is too large', start) : Number(value);
  };
  return {
    remaining: () => cursor.remaining(),
    u8: () => cursor.u8(),
    skip: (length) => void cursor.bytes(length),
    bytes: (length) => cursor.bytes(length),
    varint,
    count,
    // Each takes a byte at least, so that no list is longer than the content.
    counts: (length) =>
      length > cursor.remaining() ? invalid('more entries than bytes', start) : Array.from({ length }, count),
  };
};
