import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { WeighbridgeError } from '../errors.ts';
import { BUSY_TIMEOUT, storeFault } from './schema.ts';
import type { Table, Tables } from './tables.ts';

/** Records that are only looked at, also while a gateway writes them. */
export type KeptRecords = {
  get<T extends Table>(table: T, key: string): Tables[T] | undefined;
  /** Every entry of a table, in the order of keys. */
  all<T extends Table>(table: T): Generator<{ readonly key: string; readonly value: Tables[T] }>;
  close(): void;
};

/** Opens the records in the file `path` for reading. Throws NOT_FOUND when there is none, STORE_CORRUPT for what is none. */
export const readSqliteRecords = (path: string): KeptRecords => {
  if (!existsSync(path)) throw new WeighbridgeError('NOT_FOUND', `there are no records at ${path}`);
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, readOnly: true });
    const one = database.prepare('SELECT value FROM record WHERE space = ? AND key = ?');
    const every = database.prepare('SELECT key, value FROM record WHERE space = ? ORDER BY key');
    return {
      *all(table) {
        for (const { key, value } of every.iterate(table)) yield { key: String(key), value: JSON.parse(String(value)) };
      },
      get(table, key) {
        try {
          const value = one.get(table, key)?.['value'];
          return typeof value === 'string' ? JSON.parse(value) : undefined;
        } catch (error) {
          throw storeFault(error, path);
        }
      },
      close: () => database.close(),
    };
  } catch (error) {
    throw storeFault(error, path);
  }
};
