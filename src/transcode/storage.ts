import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { MIB, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import type { PlanStorage } from '../formats/format.ts';
import type { PlanSource } from './types.ts';

/** A deflated storage is inflated in memory; torch writes stored members, so only repacked files have any. */
const MAX_DEFLATED_STORAGE = 256 * MIB;

/** A zip local header without name and extra field (APPNOTE 4.3.7). */
const LOCAL_HEADER = 30;
const LOCAL_SIGNATURE = 0x04034b50;

const inflate = promisify(inflateRaw);

/**
 * Opens storages of `source` one at a time. Where the plan was made without seeing a member's local header, that is
 * read now and says where the data begin, as it does to every loader: what lies between records differs from writer to
 * writer (beyond 4 GiB some end a member with 24 bytes, some with 16), so the place in the plan is a guess. Throws
 * UPSTREAM_MISMATCH when there is no such header or the data would not lie inside the source.
 */
export const checkedStorage = (source: PlanSource): ((storage: PlanStorage) => Promise<PlanSource>) => {
  let last: { storage: PlanStorage; opened: PlanSource } | undefined;
  return async (storage) => {
    if (last?.storage === storage) return last.opened;
    const opened = await openStorage(source, storage);
    last = { storage, opened };
    return opened;
  };
};

const openStorage = async (source: PlanSource, storage: PlanStorage): Promise<PlanSource> => {
  if (storage.method === 'deflated') return inflated(source, storage);
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
  within('deflated storage bytes', storage.size, MAX_DEFLATED_STORAGE);
  within('deflated storage bytes', storage.length, MAX_DEFLATED_STORAGE);
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
