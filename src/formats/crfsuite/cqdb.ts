import { createCursor } from '../../bytes/cursor.ts';
import { type Budget, within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { eachRecord, eachU32 } from '../numbers.ts';

/** A little-endian database says so by this number (cqdb.c, BYTEORDER_CHECK). */
const BYTE_ORDER = 0x62445371;
/** Chunk, size, flags, byte order, size and place of the table from number to string. */
const HEADER = 24;
/** Tables of buckets, one for each value of eight bits of the hash. */
const TABLES = 256;
/** Strings of a database: the attributes of a model. */
const STRINGS = 50_000_000;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `CQDB: ${message}`, { offset });
};

type Table = { readonly offset: number; readonly buckets: number };

/**
 * Reads the constant quark database (cqdb 1.x, cqdb.c) at `start`: strings with their numbers, and hash tables that find
 * them. The reader trusts every offset, so each must lead to a string of the database. Returns where it ends and how many
 * strings it has.
 */
export const readDatabase = (
  source: RandomAccess,
  start: number,
  budget: Budget,
): { readonly end: number; readonly strings: number } => {
  const cursor = createCursor(source, start);
  if (String.fromCharCode(...cursor.bytes(4)) !== 'CQDB') invalid('no database', start);
  const size = cursor.u32();
  cursor.skip(4);
  if (cursor.u32() !== BYTE_ORDER) invalid('an order of bytes that is not known', start);
  const strings = within('CQDB strings', cursor.u32(), STRINGS);
  const backward = cursor.u32();
  const database = section(source, start, start + size);
  const tables = readTables(database, budget);
  const [first] = tables;
  const known = readStrings(database, first?.offset ?? (backward || size), budget);
  checkTables(database, tables, backward || size, known, budget);
  if (backward === 0) return { end: start + size, strings: known.size };
  if (backward + 4 * strings !== size) invalid('the table of strings does not end the database', start);
  eachU32(database, backward, strings, budget, (offset) => {
    if (offset !== 0 && !known.has(offset)) invalid('a number without its string', start);
  });
  return { end: start + size, strings };
};

/** Tables that have buckets, in the order of their places. */
const readTables = (database: RandomAccess, budget: Budget): Table[] => {
  const tables: Table[] = [];
  eachRecord(database, { offset: HEADER, count: TABLES, size: 8 }, budget, (view, at) => {
    const table = { offset: view.getUint32(at, true), buckets: view.getUint32(at + 4, true) };
    if (table.offset !== 0 || table.buckets !== 0) tables.push(table);
  });
  return tables.sort((a, b) => a.offset - b.offset);
};

/** Records follow the tables: a number, the length of a string with its NUL, the string. Returns where they begin. */
const readStrings = (database: RandomAccess, end: number, budget: Budget): ReadonlySet<number> => {
  const cursor = createCursor(database, HEADER + 8 * TABLES);
  const known = new Set<number>();
  while (cursor.position < end) {
    budget.spend('steps', 1);
    const at = cursor.position;
    known.add(at);
    cursor.skip(4);
    const length = cursor.u32();
    if (length === 0 || length > end - cursor.position) invalid('a string beyond its place', at);
    cursor.skip(length - 1);
    if (cursor.u8() !== 0) invalid('a string that does not end', at);
  }
  if (cursor.position !== end) invalid('strings beyond their place', end);
  return known;
};

const checkTables = (
  database: RandomAccess,
  tables: readonly Table[],
  end: number,
  known: ReadonlySet<number>,
  budget: Budget,
): void => {
  let next = tables[0]?.offset ?? end;
  for (const { offset, buckets } of tables) {
    if (offset !== next || 8 * buckets > end - offset) invalid('tables that do not follow each other', offset);
    let empty = 0;
    eachRecord(database, { offset, count: buckets, size: 8 }, budget, (view, at) => {
      const place = view.getUint32(at + 4, true);
      if (place === 0) empty += 1;
      else if (!known.has(place)) invalid('a bucket without its string', offset);
    });
    // A search ends at an empty bucket: without one it goes round for ever.
    if (buckets > 0 && empty === 0) invalid('a table without an empty bucket', offset);
    next = offset + 8 * buckets;
  }
  if (next !== end) invalid('bytes behind the tables', next);
};
