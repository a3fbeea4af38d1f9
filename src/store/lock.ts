import { DatabaseSync } from 'node:sqlite';
import { WeighbridgeError } from '../errors.ts';

/**
 * Holds the lock file at `path` for this process; the result lets go of it. The lock is the operating system's, taken
 * through SQLite: it ends with the process, however that ends, so that none is ever stale, and it also holds between
 * containers that see each other's files but not each other's process numbers. Throws CONFIG_INVALID when it is held.
 */
export const holdLock = (path: string): (() => void) => {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new WeighbridgeError(
      'CONFIG_INVALID',
      `${path} is held: another Weighbridge runs on this data folder; give each its own, or stop the other`,
      {},
      { cause: error },
    );
  }
  return () => database.close();
};
