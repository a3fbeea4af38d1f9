import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BLOCK_ENTRIES } from '../../src/audit/bits.ts';
import { listSegments, segmentAt } from '../../src/audit/layout.ts';

/**
 * A folder with the entries of the log in `directory` `times` over, for searches: its segments again under later numbers, and
 * an index of all of them, made of the index that is there. Nothing in it is signed. Only whole blocks of the index are taken.
 */
export const repeatLog = (directory: string, into: string, entries: number, times: number): number => {
  const blocks = Math.floor(entries / BLOCK_ENTRIES);
  const span = blocks * BLOCK_ENTRIES;
  if (existsSync(join(into, 'whole'))) return span * times;
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  for (let copy = 0; copy < times; copy += 1)
    for (const { first, entries: lines } of listSegments(directory))
      if (first < span) symlinkSync(lines, segmentAt(into, first + copy * span).entries);
  const path = join(into, 'index.sqlite');
  copyFileSync(join(directory, 'index.sqlite'), path);
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA synchronous = OFF; BEGIN;
    DELETE FROM block WHERE number >= ${blocks}; DELETE FROM member WHERE block >= ${blocks};
    CREATE TEMP TABLE copy (at INTEGER); `);
  for (let copy = 1; copy < times; copy += 1) database.exec(`INSERT INTO copy VALUES (${copy})`);
  database.exec(`
    INSERT INTO member SELECT name, block + at * ${blocks}, bits FROM copy, member WHERE block < ${blocks} ORDER BY name, at;
    INSERT INTO block SELECT number + at * ${blocks}, earliest, latest, times, offsets, segment + at * ${span}, offset, length, leaf
      FROM copy, block WHERE number < ${blocks};
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`);
  database.close();
  writeFileSync(join(into, 'whole'), '');
  return span * times;
};
