import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The bytes of the database that `sql` makes; blobs and texts come as parameters of `insert into t values (?)`. */
export const sqliteFile = (sql: string, ...values: readonly (string | Uint8Array)[]): Uint8Array => {
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-sqlite-'));
  try {
    const file = join(folder, 'x.db');
    const database = new DatabaseSync(file);
    database.exec(`pragma page_size = 512; ${sql}`);
    for (const value of values) database.prepare('insert into t values (?)').run(value);
    database.close();
    return new Uint8Array(readFileSync(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
};
