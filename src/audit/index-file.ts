import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { WeighbridgeError } from '../errors.ts';
import { type Bits, packed, unpackFrames } from './bits.ts';
import type { OpenBlock, Place } from './block.ts';
import { type Condition, FIELDS } from './query.ts';

/** Raised with every change of what is stored: an index of another version is made again. */
const VERSION = 1;
/** ms that a statement waits for another process that brings the same index up to date. */
const BUSY_TIMEOUT = 10_000;
/** Names that one pattern may mean. More say too little to be searched for. */
const MAX_NAMES = 20_000;
/** Names whose number is remembered while blocks are written. */
const MAX_REMEMBERED = 50_000;

const SCHEMA = `
  CREATE TABLE name (id INTEGER PRIMARY KEY, field INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE (field, text)) STRICT;
  CREATE TABLE member (name INTEGER NOT NULL, block INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (name, block))
    STRICT, WITHOUT ROWID;
  CREATE TABLE block (
    number INTEGER PRIMARY KEY, earliest REAL NOT NULL, latest REAL NOT NULL,
    times BLOB NOT NULL, offsets BLOB NOT NULL,
    -- The last line of the block, by which an index of another log is known.
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, leaf BLOB NOT NULL
  ) STRICT;
  PRAGMA user_version = ${VERSION};`;

/** The last line that the index has, and its leaf hash. */
export type LastLine = Place & { readonly leaf: Uint8Array };

export type StoredBlock = {
  readonly number: number;
  readonly earliest: number;
  readonly latest: number;
  /** Reads what only few searches need. */
  readonly detail: () => { readonly times: Float64Array; readonly offsets: Uint32Array };
};

/** The file of full blocks. */
export type IndexFile = {
  /** The newest block and its last line; undefined while there is none. */
  newest(): { readonly number: number; readonly last: LastLine } | undefined;
  /** Stores a full block, unless another process has done so. */
  write(block: OpenBlock, last: LastLine): void;
  /** What meets a condition, by block. Throws REQUEST_INVALID for a pattern that means too many names. */
  members(condition: Condition): Map<number, Bits>;
  /** All blocks, newest first. */
  blocks(): StoredBlock[];
  /** Forgets everything. */
  clear(): void;
  close(): void;
};

/** Opens the index at `path`; makes it anew when what is there is none, and in memory when nothing can be written there. */
export const openIndexFile = (path: string): IndexFile => {
  try {
    return fileOf(prepared(path));
  } catch {
    // Not an index, of another version, or damaged: it holds nothing that the log does not have.
    return makeIndexFile(path);
  }
};

/** Makes an index at `path` in the place of whatever is there. */
export const makeIndexFile = (path: string): IndexFile => {
  try {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    return fileOf(prepared(path));
  } catch {
    // A copy of a log that only reading is allowed of.
    return fileOf(prepared(':memory:'));
  }
};

const fileOf = (database: DatabaseSync): IndexFile => {
  const one = database.prepare('SELECT id FROM name WHERE field = ? AND text = ?');
  const range = database.prepare('SELECT id, text FROM name WHERE field = ? AND text >= ? ORDER BY text');
  const intern = database.prepare('INSERT INTO name (field, text) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id');
  const addMembers = database.prepare('INSERT OR REPLACE INTO member VALUES (?, ?, ?)');
  // One row for each name, in hexadecimal digits: a row for each block costs ten times as much to hand over.
  const members = database.prepare(
    "SELECT group_concat(format('%08x%08x', block, length(bits)) || hex(bits), '') AS frames FROM member WHERE name = ?",
  );
  const addBlock = database.prepare('INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const blocks = database.prepare('SELECT number, earliest, latest FROM block ORDER BY number DESC');
  const detail = database.prepare('SELECT times, offsets FROM block WHERE number = ?');
  const newest = database.prepare(
    'SELECT number, segment, offset, length, leaf FROM block ORDER BY number DESC LIMIT 1',
  );
  const changes = database.prepare('PRAGMA data_version');
  const numbers = new Map<string, number>();
  let seen: unknown;

  /** Another process may have begun the index anew, or a transaction failed: then no number is what it was. */
  const forgetIfChanged = (): void => {
    const now = changes.get()?.['data_version'];
    if (now !== seen) numbers.clear();
    seen = now;
  };

  const numberOf = (field: number, text: string): number => {
    const key = `${field} ${text}`;
    const known = numbers.get(key);
    if (known !== undefined) return known;
    // Most that are not remembered are new: every request has a name of its own.
    const id = Number((intern.get(field, text) ?? one.get(field, text))?.['id']);
    if (numbers.size >= MAX_REMEMBERED) numbers.clear();
    numbers.set(key, id);
    return id;
  };

  const namesOf = (condition: Condition): number[] => {
    const { field, text, pattern, accepts } = condition;
    const number = FIELDS.indexOf(field);
    if (!pattern) return [one.get(number, text)].flatMap((row) => (row === undefined ? [] : [Number(row['id'])]));
    const found: number[] = [];
    const start = text.slice(0, text.search(/[*?]/));
    for (const row of range.iterate(number, start)) {
      const name = String(row['text']);
      if (!name.startsWith(start)) break;
      if (!accepts(name)) continue;
      if (found.push(Number(row['id'])) > MAX_NAMES) {
        throw new WeighbridgeError('REQUEST_INVALID', `the ${field} '${text}' means more than ${MAX_NAMES} names`);
      }
    }
    return found;
  };

  return {
    newest() {
      const row = newest.get();
      if (row === undefined) return undefined;
      const { number, segment, offset, length, leaf } = row;
      if (!(leaf instanceof Uint8Array)) throw broken('a leaf hash');
      return {
        number: Number(number),
        last: { segment: Number(segment), offset: Number(offset), length: Number(length), leaf },
      };
    },
    write(block, last) {
      inTransaction(database, () => {
        forgetIfChanged();
        const present = newest.get();
        if (present !== undefined && Number(present['number']) >= block.number) return;
        for (const [field, names] of block.terms) {
          for (const [text, at] of names) {
            addMembers.run(numberOf(FIELDS.indexOf(field), text), block.number, packed(at));
          }
        }
        const times = block.times.filter((time) => time !== 0);
        const [earliest, latest] = [times.reduce(least, Infinity), times.reduce(most, -Infinity)];
        const { segment, offset, length, leaf } = last;
        addBlock.run(
          block.number,
          times.length === 0 ? 0 : earliest,
          times.length === 0 ? 0 : latest,
          new Uint8Array(block.times.buffer),
          new Uint8Array(block.offsets.buffer),
          segment,
          offset,
          length,
          leaf,
        );
      });
    },
    members(condition) {
      const found = new Map<number, Bits>();
      for (const name of namesOf(condition)) {
        const frames = members.get(name)?.['frames'];
        // Null where a name is in no block.
        if (typeof frames === 'string' && !unpackFrames(Buffer.from(frames, 'hex'), found))
          throw broken('a set of entries');
      }
      return found;
    },
    blocks: () =>
      blocks.all().map((row) => ({
        number: Number(row['number']),
        earliest: Number(row['earliest']),
        latest: Number(row['latest']),
        detail: () => {
          const { times, offsets } = detail.get(row['number'] ?? 0) ?? {};
          if (!(times instanceof Uint8Array) || !(offsets instanceof Uint8Array)) throw broken('a block');
          return {
            times: new Float64Array(Uint8Array.from(times).buffer),
            offsets: new Uint32Array(Uint8Array.from(offsets).buffer),
          };
        },
      })),
    clear() {
      numbers.clear();
      inTransaction(database, () => database.exec('DELETE FROM member; DELETE FROM block; DELETE FROM name'));
    },
    close: () => database.close(),
  };
};

const prepared = (path: string): DatabaseSync => {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536');
    inTransaction(database, () => {
      const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
      if (version === 0) database.exec(SCHEMA);
      else if (version !== VERSION) throw broken('its version');
    });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

const inTransaction = (database: DatabaseSync, work: () => void): void => {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
};

const least = (a: number, b: number): number => Math.min(a, b);
const most = (a: number, b: number): number => Math.max(a, b);

const broken = (what: string): WeighbridgeError =>
  new WeighbridgeError('LOG_CORRUPT', `the index of the log is damaged: ${what}`);
