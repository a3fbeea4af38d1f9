import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createInflateRaw, inflateRaw } from 'node:zlib';
import { GIB, MIB, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import type { PlanStorage } from '../formats/format.ts';
import type { OpenScratch, PlanSource, Scratch } from './types.ts';

/** A deflated storage up to here is inflated in memory; torch writes stored members, so only repacked files have any. */
const INFLATED_IN_MEMORY = 64 * MIB;
/** A larger one is inflated to the disk, one at a time. The largest tensors of models in use take some 10 GB. */
const MAX_DEFLATED_STORAGE = 64 * GIB;
/** Compressed bytes that are read at a time. */
const PIECE = 1 * MIB;

/** A zip local header without name and extra field (APPNOTE 4.3.7). */
const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = 0x04034b50;

const inflate = promisify(inflateRaw);

/** Storages of one source, opened one at a time. */
export type Storages = {
  /** Throws UPSTREAM_MISMATCH when the storage is not where and as the plan says, LIMIT_EXCEEDED when it is too large. */
  open(storage: PlanStorage): Promise<PlanSource>;
  /** Frees what the last one took. */
  close(): Promise<void>;
};

/**
 * Where the plan was made without seeing a member's local header, that is read now and says where the data begin, as it
 * does to every loader: what lies between records differs from writer to writer (beyond 4 GiB some end a member with 24
 * bytes, some with 16), so the place in the plan is a guess.
 */
export const checkedStorages = (source: PlanSource, scratch: OpenScratch | undefined): Storages => {
  let last: { storage: PlanStorage; opened: Opened } | undefined;
  const close = async (): Promise<void> => {
    const before = last;
    last = undefined;
    await before?.opened.discard?.();
  };
  return {
    async open(storage) {
      if (last?.storage === storage) return last.opened;
      await close();
      const opened = await openStorage(source, storage, scratch);
      last = { storage, opened };
      return opened;
    },
    close,
  };
};

type Opened = PlanSource & { discard?(): Promise<void> };

const openStorage = async (
  source: PlanSource,
  storage: PlanStorage,
  scratch: OpenScratch | undefined,
): Promise<Opened> => {
  if (storage.method === 'deflated') {
    const small = Math.max(storage.size, storage.length) <= INFLATED_IN_MEMORY;
    return small || scratch === undefined ? inflated(source, storage) : spooled(source, storage, scratch);
  }
  const { localHeader, size } = storage;
  const start = localHeader === undefined ? storage.offset : await dataStart(source, storage, localHeader);
  return {
    size,
    read(offset, length) {
      if (offset + length > size) throw outside(storage);
      return source.read(start + offset, length);
    },
  };
};

const inflated = async (source: PlanSource, storage: PlanStorage): Promise<PlanSource> => {
  within('deflated storage bytes', storage.size, INFLATED_IN_MEMORY);
  within('deflated storage bytes', storage.length, INFLATED_IN_MEMORY);
  const packed = await source.read(storage.offset, storage.length);
  const bytes = await inflate(packed, { maxOutputLength: storage.size + 1 });
  if (bytes.length !== storage.size) throw outside(storage);
  return {
    size: storage.size,
    read: async (offset, length) => {
      if (offset + length > storage.size) throw outside(storage);
      return bytes.subarray(offset, offset + length);
    },
  };
};

/** Inflates piece by piece; more than was declared stops it at once, whatever it would become. */
const spooled = async (source: PlanSource, storage: PlanStorage, openScratch: OpenScratch): Promise<Scratch> => {
  const { size } = storage;
  const room = await openScratch(within('deflated storage bytes', size, MAX_DEFLATED_STORAGE));
  let total = 0;
  const take = async (chunk: Uint8Array): Promise<void> => {
    total += chunk.length;
    if (total > size) throw outside(storage);
    await room.write(chunk);
  };
  const target = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => void take(chunk).then(() => done(), done),
  });
  try {
    await pipeline(Readable.from(piecesOf(source, storage)), createInflateRaw({ chunkSize: PIECE }), target);
    if (total !== size) throw outside(storage);
  } catch (error) {
    await room.discard();
    throw isZlib(error) ? outside(storage) : error;
  }
  return {
    ...room,
    size,
    read(offset, length) {
      if (offset + length > size) throw outside(storage);
      return room.read(offset, length);
    },
  };
};

const isZlib = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');

async function* piecesOf(source: PlanSource, { offset, length }: PlanStorage): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < length; at += PIECE) {
    // Kept until it is inflated, while the next one may already be read.
    yield Uint8Array.from(await source.read(offset + at, Math.min(PIECE, length - at)));
  }
}

/** Where the data of a stored member begin (APPNOTE 4.3.7): behind its local header, name and extra field. */
const dataStart = async (source: PlanSource, storage: PlanStorage, at: number): Promise<number> => {
  const header = await source.read(at, LOCAL_HEADER);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const start = at + LOCAL_HEADER + view.getUint16(26, true) + view.getUint16(28, true);
  const stored = view.getUint32(0, true) === LOCAL_SIGNATURE && view.getUint16(8, true) === 0;
  if (stored && start + storage.length <= source.size) return start;
  throw new WeighbridgeError('UPSTREAM_MISMATCH', `the local header of ${storage.name} differs from the directory`);
};

const outside = (storage: PlanStorage): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_MISMATCH', `storage ${storage.name} does not have the size that was planned`);
