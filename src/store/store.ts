import { existsSync, readFileSync } from 'node:fs';
import { isFault, WeighbridgeError } from '../errors.ts';
import { createFileBlobs } from './blobs-files.ts';
import { diskFault } from './disk.ts';
import { makeFolder } from './folder.ts';
import { LAYOUT_VERSION, layout } from './layout.ts';
import { holdLock } from './lock.ts';
import { createSqliteRecords } from './records-sqlite.ts';
import type { Blobs, Records } from './types.ts';
import { writeWhole } from './whole-file.ts';

export type Store = { readonly blobs: Blobs; readonly records: Records; close(): Promise<void> };

/**
 * Opens (or makes) the store in the folder `data`, for this process alone. `limit` is the bytes that blobs may take,
 * `sealAfter` the ms after which one is made durable, `kept` those that are not evicted.
 * Rejects with CONFIG_INVALID when another process has it, STORE_TOO_NEW when a newer program wrote it, STORE_CORRUPT
 * when it cannot be used.
 */
export const openStore = async ({
  data,
  limit,
  sealAfter,
  kept,
}: {
  readonly data: string;
  readonly limit: number;
  readonly sealAfter?: number;
  readonly kept?: (sha256: string) => boolean;
}): Promise<Store> => {
  const paths = layout(data);
  const unlock = prepare(data);
  const closers: (() => unknown)[] = [unlock];
  const close = async (): Promise<void> => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  try {
    checkVersion(paths.version);
    const records = await createSqliteRecords({ path: paths.records });
    closers.push(records.close);
    const blobs = await createFileBlobs({
      root: data,
      limit,
      records,
      ...(sealAfter !== undefined && { sealAfter }),
      ...(kept !== undefined && { kept }),
    });
    closers.push(blobs.close);
    return { blobs, records, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/**
 * Opens (or makes) only the records of the store in `data`, for this process alone; undefined while another process has
 * them. Rejects otherwise as `openStore` does.
 */
export const openRecordsAlone = async (
  data: string,
): Promise<{ readonly records: Records; close(): Promise<void> } | undefined> => {
  const paths = layout(data);
  let unlock: () => void;
  try {
    unlock = prepare(data);
  } catch (error) {
    if (isFault(error, 'CONFIG_INVALID')) return undefined;
    throw error;
  }
  try {
    checkVersion(paths.version);
    const records = await createSqliteRecords({ path: paths.records });
    const close = async (): Promise<void> => {
      await records.close();
      unlock();
    };
    return { records, close };
  } catch (error) {
    unlock();
    throw error;
  }
};

const prepare = (data: string): (() => void) => {
  try {
    makeFolder(data);
    return holdLock(layout(data).lock);
  } catch (error) {
    throw diskFault(error, `opening the data folder ${data}`);
  }
};

const checkVersion = (path: string): void => {
  if (!existsSync(path)) writeWhole(path, `${LAYOUT_VERSION}\n`, 0o644);
  const found = Number(readFileSync(path, 'utf8'));
  if (found <= LAYOUT_VERSION && Number.isInteger(found) && found > 0) return;
  throw new WeighbridgeError('STORE_TOO_NEW', `${path} says ${found}; this Weighbridge knows ${LAYOUT_VERSION}`, {
    found,
  });
};
