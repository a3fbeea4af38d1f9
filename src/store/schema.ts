import { DatabaseSync } from 'node:sqlite';
import { WeighbridgeError } from '../errors.ts';

/**
 * The steps that brought the records to where they are, oldest first. Steps are only ever appended: a store says how
 * many it has seen in `user_version`. One table for all: what is in it is typed in tables.ts, not in SQL.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE record (
     space TEXT NOT NULL,
     key TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (space, key)
   ) STRICT`,
];

/** ms that a statement waits for another connection's lock. */
export const BUSY_TIMEOUT = 5000;

/** SQLite primary result codes (sqlite.org/rescode.html). */
const SQLITE_FULL = 13;

/** Brings the database at `path` up to date, making it if need be. Throws STORE_TOO_NEW or STORE_CORRUPT. */
export const migrate = (path: string, migrations: readonly string[] = MIGRATIONS): void => {
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
    try {
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
      const seen = versionOf(database);
      if (seen > migrations.length) throw tooNew(path, seen, migrations.length);
      for (const [step, sql] of migrations.entries()) {
        if (step >= seen) database.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${step + 1}; COMMIT`);
      }
    } finally {
      database.close();
    }
  } catch (error) {
    throw storeFault(error, path);
  }
};

const versionOf = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()?.['user_version']);

const tooNew = (path: string, found: number, known: number): WeighbridgeError =>
  new WeighbridgeError(
    'STORE_TOO_NEW',
    `${path} was written by a newer Weighbridge (version ${found}, this one knows ${known}): use that one, or another data folder`,
    { found, known },
  );

/** What SQLite threw, as a fault of the store. */
export const storeFault = (error: unknown, path: string): WeighbridgeError => {
  if (error instanceof WeighbridgeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) % 256 : 0;
  return code === SQLITE_FULL
    ? new WeighbridgeError('STORE_FULL', `no space left for ${path}`, {}, { cause: error })
    : new WeighbridgeError('STORE_CORRUPT', `${path}: ${message}`, { sqlite: code }, { cause: error });
};
