import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { BUSY_TIMEOUT, storeFault } from './schema.ts';

/** One write; no value means delete. */
export type Write = { readonly space: string; readonly key: string; readonly value: string | undefined };
/** Writes that become visible together. `durable` waits for the disk. */
export type WriteBatch = { readonly writes: readonly Write[]; readonly durable: boolean };
/** What became of a batch: nothing to say, or why not. */
export type WriteResult = {
  readonly fault?: { readonly code: 'STORE_FULL' | 'STORE_CORRUPT'; readonly message: string };
};

/** The only place that writes to the records: commits run here, so that none stalls the thread that serves. */
const serve = (port: NonNullable<typeof parentPort>, path: string): void => {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
  const put = database.prepare(
    'INSERT INTO record (space, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const remove = database.prepare('DELETE FROM record WHERE space = ? AND key = ?');

  const commit = ({ writes, durable }: WriteBatch): WriteResult => {
    try {
      database.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}; BEGIN IMMEDIATE`);
      for (const { space, key, value } of writes) {
        if (value === undefined) remove.run(space, key);
        else put.run(space, key, value);
      }
      database.exec('COMMIT');
      return {};
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      const { code, message } = storeFault(error, path);
      return { fault: { code: code === 'STORE_FULL' ? code : 'STORE_CORRUPT', message } };
    }
  };

  port.on('message', (message: WriteBatch | 'close') => {
    if (message !== 'close') {
      port.postMessage(commit(message));
      return;
    }
    database.close();
    port.close();
  });
};

if (parentPort !== null) serve(parentPort, String(workerData));
