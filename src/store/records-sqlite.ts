import { DatabaseSync } from 'node:sqlite';
import { WeighbridgeError } from '../errors.ts';
import { createWriteQueue } from './records-queue.ts';
import { BUSY_TIMEOUT, migrate, storeFault } from './schema.ts';
import type { Table, Tables } from './tables.ts';
import { startThread } from './thread.ts';
import type { Records } from './types.ts';

/** Characters of a key. The longest is an artefact's: ecosystem, repo, commit and path. */
const MAX_KEY = 8192;
/** Entries of one `list`. */
const MAX_LIST = 10_000;

/**
 * Records in a SQLite file that this process alone may write. Reads run here (a point read takes microseconds), all
 * writes in one thread, in batches; a write counts for reads at once. A write that fails after its `put` resolved makes
 * the next write reject. Throws STORE_TOO_NEW for a file of a newer program, STORE_CORRUPT for what is no such file.
 */
export const createSqliteRecords = async ({ path }: { readonly path: string }): Promise<Records> => {
  migrate(path);
  const queue = createWriteQueue(startThread('records-thread', path));
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, readOnly: true });
  const one = database.prepare('SELECT value FROM record WHERE space = ? AND key = ?');
  const some = database.prepare(
    'SELECT key, value FROM record WHERE space = ? AND key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?',
  );

  const stored = <T extends Table>(table: T, key: string): Tables[T] | undefined => {
    const pending = queue.pending(table, key);
    if (pending !== undefined) return parse(pending.value);
    return parse(reading(path, () => one.get(table, key))?.['value']);
  };

  return {
    async get(table, key) {
      return stored(table, checkKey(key));
    },
    async put(table, key, value, durable = false) {
      await queue.ready();
      const written = queue.push({ space: table, key: checkKey(key), value: JSON.stringify(value) }, durable);
      if (durable) await written;
    },
    async add(table, key, value) {
      await queue.ready();
      // From here to `push` nothing is awaited: that is what makes it atomic.
      const present = stored(table, checkKey(key));
      if (present !== undefined) return present;
      void queue.push({ space: table, key, value: JSON.stringify(value) }, false);
      return value;
    },
    async delete(table, key) {
      await queue.ready();
      void queue.push({ space: table, key: checkKey(key), value: undefined }, false);
    },
    async list<T extends Table>(table: T, prefix: string, limit: number, after = '') {
      checkKey(prefix);
      const wanted = Math.min(limit, MAX_LIST);
      const pending = [...queue.pendingIn(table)].filter(
        ({ key }) => key.startsWith(prefix) && compare(key, after) > 0,
      );
      // Each queued delete may hide a row, so that many more are read.
      const rows = reading(path, () => some.all(table, prefix, after, afterPrefix(prefix), wanted + pending.length));
      const found = new Map<string, string | undefined>(rows.map((row) => [String(row['key']), String(row['value'])]));
      for (const { key, value } of pending) found.set(key, value);
      return [...found]
        .sort(([a], [b]) => compare(a, b))
        .flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: parse(value) }]))
        .slice(0, wanted);
    },
    async close() {
      await queue.close();
      database.close();
    },
  };
};

const parse = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : undefined);

/** SQLite orders text by its UTF-8, not by UTF-16 as JavaScript does; PostgreSQL does so too with collation "C". */
const compare = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The first text, in UTF-8 order, behind all that begin with `prefix`. */
const afterPrefix = (prefix: string): string => {
  const points = [...prefix].map((character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  // Nothing valid sorts above the last code point; surrogates are no code points of UTF-8.
  if (last === undefined) return '\u{10ffff}'.repeat(MAX_KEY);
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
};

/** Keys carry names that strangers chose. NUL and lone surrogates would not come back as they went in. */
const checkKey = (key: string): string => {
  if (key.length > MAX_KEY || key.includes('\0') || !key.isWellFormed()) {
    throw new WeighbridgeError('REQUEST_INVALID', 'a name has NUL, a lone surrogate or too many characters', {
      characters: key.length,
      limit: MAX_KEY,
    });
  }
  return key;
};

const reading = <T>(path: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    throw storeFault(error, path);
  }
};
