import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { type Budget, createBudget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { crc32c, xxh32 } from '../archive/checksum.ts';
import { createSink } from '../archive/sink.ts';
import { decompressed } from '../arrow/decompress.ts';
import { bzip2Stream } from '../compressed/bzip2.ts';
import { inflate } from '../compressed/inflate.ts';
import { xxh3 } from '../compressed/xxh3.ts';
import { xxh64 } from '../compressed/xxh64.ts';

/** Behind each block: how it is compressed, and a checksum. */
export const TRAILER = 5;
/** Bytes of one block: writers begin the next at 4 to 64 KiB, but one value is not divided; indexes grow with the file. */
const BLOCK = 64 * MIB;
/** Bytes of one key. */
const KEY = 1 * MIB;
/** The last number of a block of data: how many restarts, and whether a hash index stands behind them. */
const HASHED = 0x80000000;
/** Multiplier of the byte behind a block in its checksum. */
const LAST_BYTE = 0x6b9083d9;

/** Where a block is, without its trailer. */
export type Handle = { readonly offset: number; readonly size: number };
/** How the blocks of a file are protected. */
export type Sums = { readonly checksum: number; readonly base: number };
export type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `RocksDB: ${message}`, { offset });
};

/** A number of 7 bits a byte. Throws FORMAT_INVALID over 2^53-1 or ten bytes. */
export const readVarint = (cursor: Cursor): number => {
  let value = 0;
  for (let index = 0; index < 8; index++) {
    const byte = cursor.u8();
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return Number.isSafeInteger(value) ? value : invalid('a number is too large', cursor.position);
  }
  return invalid('a number is too long', cursor.position);
};

export const readHandle = (cursor: Cursor): Handle => ({ offset: readVarint(cursor), size: readVarint(cursor) });

/** A text or key behind its length. */
export const readSlice = (cursor: Cursor): Uint8Array => {
  const length = readVarint(cursor);
  if (length > cursor.remaining()) invalid('a text ends behind its block', cursor.position);
  return cursor.bytes(length);
};

/** The bytes of a block, decompressed (rocksdb/table/format.cc, `UncompressBlockData`). Throws FORMAT_INVALID when the checksum is wrong. */
export const readBlock = (source: RandomAccess, { offset, size }: Handle, sums: Sums, budget: Budget): Uint8Array => {
  within('RocksDB block bytes', size, BLOCK);
  const stored = source.read(offset, size + TRAILER);
  const sum = new DataView(stored.buffer, stored.byteOffset + size + 1, 4).getUint32(0, true);
  expectSum(stored.subarray(0, size + 1), sum, offset, sums);
  const content = stored.subarray(0, size);
  const kind = stored[size] ?? 0;
  if (kind === 0) return content;
  const cursor = createCursor(fromBytes(content));
  const length = within('RocksDB block bytes', readVarint(cursor), BLOCK);
  budget.spend('bytesInflated', length);
  const block = inflated(kind, content, cursor.position, length, offset);
  return block.length === length ? block : invalid('a block has another size than it says', offset);
};

const inflated = (kind: number, content: Uint8Array, at: number, length: number, offset: number): Uint8Array => {
  const rest = content.subarray(at);
  switch (kind) {
    case 1:
      return decompressed('snappy', content, length, offset);
    case 2: {
      const sink = createSink(rest.length, createBudget(), length);
      inflate(createByteReader(fromBytes(rest)), sink);
      return sink.finish();
    }
    case 3: {
      const sink = createSink(rest.length, createBudget(), length);
      bzip2Stream(createByteReader(fromBytes(rest)), sink);
      return sink.finish();
    }
    case 4:
    case 5:
      return decompressed('lz4 block', rest, length, offset);
    case 7:
      return decompressed('zstd', rest, length, offset);
    default:
      return invalid('a compression that is not known', offset);
  }
};

/** Throws FORMAT_INVALID unless `stored` is the checksum of the bytes at this place of the file. */
export const expectSum = (bytes: Uint8Array, stored: number, offset: number, { checksum, base }: Sums): void => {
  const modifier = base === 0 ? 0 : base ^ ((offset >>> 0) + Math.floor(offset / 2 ** 32));
  const sum = sumOf(checksum, bytes, offset);
  if (sum !== undefined && (sum + modifier) >>> 0 !== stored) invalid('the checksum of a block is wrong', offset);
};

/** The checksum of a block with its kind behind it; undefined for tables that are written without any. */
const sumOf = (kind: number, bytes: Uint8Array, offset: number): number | undefined => {
  switch (kind) {
    case 0:
      return undefined;
    case 1:
      return masked(crc32c(bytes));
    case 2:
      return xxh32(bytes);
    case 3:
      return Number(xxh64(bytes) & 0xffffffffn);
    case 4:
      return sumWithLast(bytes);
    default:
      return invalid('a kind of checksum that is not known', offset);
  }
};

/** XXH3 of all but the last byte, which is mixed in behind it (`ModifyChecksumForLastByte`). */
export const sumWithLast = (bytes: Uint8Array): number => {
  const last = bytes.length - 1;
  return (Number(xxh3(bytes.subarray(0, last)) & 0xffffffffn) ^ Math.imul(bytes[last] ?? 0, LAST_BYTE)) >>> 0;
};

/** A CRC as it is kept: rotated, and a constant added (rocksdb/util/crc32c.h, `Mask`). */
export const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** Where the entries of a block end: behind them stand restarts, and perhaps a hash index of them. */
const endOfEntries = (block: Uint8Array): number => {
  if (block.length < 4) invalid('a block without restarts', 0);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const packed = view.getUint32(block.length - 4, true);
  const hashed = packed >= HASHED;
  let end = block.length - 4 - 4 * (hashed ? packed - HASHED : packed);
  if (hashed) {
    if (block.length < 6) invalid('a block without its hash index', 0);
    end -= 2 + view.getUint16(block.length - 6, true);
  }
  return end < 0 ? invalid('a block is shorter than its restarts', 0) : end;
};

/** Every entry of a block: keys share their beginning with the one before. */
export const entriesOf = function* (block: Uint8Array, budget: Budget): Generator<Entry> {
  const end = endOfEntries(block);
  const cursor = createCursor(fromBytes(block.subarray(0, end)));
  let key: Uint8Array = new Uint8Array(0);
  while (cursor.position < end) {
    budget.spend('steps', 1);
    const [shared, rest, length] = [readVarint(cursor), readVarint(cursor), readVarint(cursor)];
    key = nextKey(key, shared, rest, cursor);
    yield { key, value: cursor.bytes(length) };
  }
};

const nextKey = (before: Uint8Array, shared: number, rest: number, cursor: Cursor): Uint8Array => {
  if (shared > before.length) invalid('a key shares more than there is', cursor.position);
  within('bytes of a key', shared + rest, KEY);
  const key = new Uint8Array(shared + rest);
  key.set(before.subarray(0, shared));
  key.set(cursor.bytes(rest), shared);
  return key;
};

type IndexForm = { readonly deltas: boolean; readonly firstKeys: boolean };

/** The blocks that an index names. Where they follow each other only the difference of their sizes is kept. */
export const handlesOf = function* (block: Uint8Array, { deltas, firstKeys }: IndexForm, budget: Budget) {
  if (!deltas) {
    for (const { value } of entriesOf(block, budget)) yield readHandle(createCursor(fromBytes(value)));
    return;
  }
  const end = endOfEntries(block);
  const cursor = createCursor(fromBytes(block.subarray(0, end)));
  let key: Uint8Array = new Uint8Array(0);
  let handle: Handle = { offset: 0, size: 0 };
  while (cursor.position < end) {
    budget.spend('steps', 1);
    const [shared, rest] = [readVarint(cursor), readVarint(cursor)];
    key = nextKey(key, shared, rest, cursor);
    if (shared === 0) handle = readHandle(cursor);
    else {
      const zigzag = readVarint(cursor);
      const size = handle.size + (zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
      if (size < 0) invalid('a block of less than no bytes', cursor.position);
      handle = { offset: handle.offset + handle.size + TRAILER, size };
    }
    if (firstKeys) readSlice(cursor);
    yield handle;
  }
};
