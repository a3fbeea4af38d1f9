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
 * read now and must put the data where the plan expects it. Throws UPSTREAM_MISMATCH otherwise.
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
  if (storage.localHeader !== undefined) await checkLocalHeader(source, storage, storage.localHeader);
  if (storage.method === 'deflated') return inflated(source, storage);
  return {
    size: storage.size,
    read(offset, length) {
      if (offset + length > storage.size) throw outside(storage);
      return source.read(storage.offset + offset, length);
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

const checkLocalHeader = async (source: PlanSource, storage: PlanStorage, at: number): Promise<void> => {
  const header = await source.read(at, LOCAL_HEADER);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const data = at + LOCAL_HEADER + view.getUint16(26, true) + view.getUint16(28, true);
  const method = view.getUint16(8, true);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE || data !== storage.offset || method !== 0) {
    throw new WeighbridgeError('UPSTREAM_MISMATCH', `the local header of ${storage.name} differs from the directory`);
  }
};

const outside = (storage: PlanStorage): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_MISMATCH', `storage ${storage.name} does not have the size that was planned`);
