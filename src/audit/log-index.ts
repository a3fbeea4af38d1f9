import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isFault, WeighbridgeError } from '../errors.ts';
import { BLOCK_ENTRIES } from './bits.ts';
import { type OpenBlock, openBlock } from './block.ts';
import { tree } from './digest.ts';
import { parseEntry } from './entry.ts';
import { type IndexFile, type LastLine, makeIndexFile, openIndexFile } from './index-file.ts';
import { type Cursor, isThere, linesFrom, startOf } from './index-source.ts';
import type { Query } from './query.ts';
import type { ReadEntry } from './reader.ts';
import { entriesAt, matching, type Page, type Paging, pagesOf } from './search-blocks.ts';

/** Entries of one page, unless fewer are asked for. */
export const MAX_PAGE = 1000;

/** Finds entries of a log. The log stays the only truth: what is here can be thrown away at any time. */
export type LogIndex = {
  /** Takes in what the log has more than the index; resolves with the number of entries that are searched. */
  catchUp(): Promise<number>;
  /** The newest entries that match, newest first. Throws REQUEST_INVALID for a pattern that means too much. */
  search(query: Query, paging: Paging): Promise<Page>;
  /** All entries that match, newest first, read from the log as they are asked for. */
  all(query: Query): AsyncGenerator<ReadEntry>;
  close(): void;
};

/** Opens or makes the index `index.sqlite` of the log in `directory`. Throws NOT_FOUND when there is no log. */
export const openLogIndex = (directory: string): LogIndex => {
  if (!existsSync(directory)) throw new WeighbridgeError('NOT_FOUND', `there is no log at ${directory}`);
  const path = join(directory, 'index.sqlite');
  let file = openIndexFile(path);
  let reading: Reading = atStart(directory);
  let [resumed, running]: [boolean, Promise<number> | undefined] = [false, undefined];

  /** Behind the newest full block; from the beginning when that block is of another log. */
  const resume = (): void => {
    resumed = true;
    const newest = file.newest();
    if (newest !== undefined && isThere(directory, newest.last)) {
      reading = behind(newest.number, newest.last);
      return;
    }
    if (newest !== undefined) file.clear();
    reading = atStart(directory);
  };

  /** What is wrong with an index is wrong with nothing else: it is made again, once. */
  const mended = async <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (isFault(error) && error.code !== 'LOG_CORRUPT') throw error;
      file.close();
      file = makeIndexFile(path);
      resumed = false;
      await follow();
      return work();
    }
  };

  const follow = async (): Promise<number> => {
    if (!existsSync(path)) {
      // Somebody deleted it, who may: entries may stand elsewhere since.
      file.close();
      file = makeIndexFile(path);
      resumed = false;
    }
    // Lines that the writer took back after a fault of the disk, or another log in the place of this one.
    if (!resumed || (reading.last !== undefined && !isThere(directory, reading.last()))) resume();
    for await (const lines of linesFrom(directory, reading.cursor)) {
      for (const { position, place, line } of lines) {
        const number = Math.floor(position / BLOCK_ENTRIES);
        if (number !== reading.block.number) finish(file, reading, number);
        reading.block.add(position, place, parseEntry(line.toString()));
        reading.last = () => ({ ...place, leaf: tree.leaf(line) });
        reading.cursor = { position: position + 1, segment: place.segment, offset: place.offset + place.length + 1 };
        if ((position + 1) % BLOCK_ENTRIES === 0) finish(file, reading, number + 1);
      }
    }
    return reading.cursor.position;
  };

  const catchUp = (): Promise<number> => {
    running ??= mended(follow).finally(() => {
      running = undefined;
    });
    return running;
  };

  const find = (query: Query, paging: Paging): Page => {
    const matches = matching(file, reading.block, query, startOf(directory).position);
    return entriesAt(directory, query, pagesOf(matches, paging), reading.cursor.position);
  };

  return {
    catchUp,
    search: (query, { limit, before }) =>
      mended(() => find(query, { limit: Math.min(limit, MAX_PAGE), ...(before === undefined ? {} : { before }) })),
    async *all(query) {
      const matches = await mended(() => matching(file, reading.block, query, startOf(directory).position));
      const { found } = pagesOf(matches, { limit: Number.POSITIVE_INFINITY });
      for (let at = 0; at < found.length; at += MAX_PAGE) {
        const part = { found: found.slice(at, at + MAX_PAGE), total: found.length, next: undefined };
        yield* entriesAt(directory, query, part, 0).entries;
      }
    },
    close: () => file.close(),
  };
};

/** How far a log was read. The last line is hashed when that is asked for: most lines never are. */
type Reading = { cursor: Cursor; block: OpenBlock; last: (() => LastLine) | undefined };

const atStart = (directory: string): Reading => {
  const cursor = startOf(directory);
  return { cursor, block: openBlock(Math.floor(cursor.position / BLOCK_ENTRIES)), last: undefined };
};

const behind = (block: number, last: LastLine): Reading => {
  const position = (block + 1) * BLOCK_ENTRIES;
  const cursor = { position, segment: last.segment, offset: last.offset + last.length + 1 };
  return { cursor, block: openBlock(block + 1), last: () => last };
};

/** Stores the block and begins another. */
const finish = (file: IndexFile, reading: Reading, next: number): void => {
  if (reading.last !== undefined) file.write(reading.block, reading.last());
  reading.block = openBlock(next);
};
