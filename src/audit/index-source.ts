import { closeSync, openSync, readSync } from 'node:fs';
import type { Place } from './block.ts';
import { tree } from './digest.ts';
import { MAX_ENTRY } from './entry.ts';
import type { LastLine } from './index-file.ts';
import { listSegments, segmentAt } from './layout.ts';
import { readLines } from './reader.ts';

/** A line of the log and where it stands. */
export type PlacedLine = { readonly position: number; readonly place: Place; readonly line: Buffer };

/** Where to go on reading: the position of the next line, and its first byte in its segment. */
export type Cursor = { readonly position: number; readonly segment: number; readonly offset: number };

const LINE_FEED = 10;
/** Bytes read at first: some entries, so that neighbours come along. More only when the line is longer. */
const WINDOW = 8192;
/** Bytes read at once when line after line is asked for that lie near each other: a read costs as much as parsing a line. */
const MAX_WINDOW = 256 * 1024;

/** The position of the first entry that is still there. */
export const startOf = (directory: string): Cursor => {
  const first = listSegments(directory)[0]?.first ?? 0;
  return { position: first, segment: first, offset: 0 };
};

/** The complete lines behind a cursor, many at a time. */
export async function* linesFrom(directory: string, from: Cursor): AsyncGenerator<readonly PlacedLine[]> {
  let position = from.position;
  for (const { first, entries } of listSegments(directory)) {
    if (first < from.segment || (first > from.segment && first < position)) continue;
    // A segment whose number does not follow is for `weighbridge log verify`; what it holds is found where its name says.
    if (first > from.segment) position = first;
    let offset = first === from.segment ? from.offset : 0;
    for await (const { lines } of readLines(entries, offset)) {
      const placed: PlacedLine[] = [];
      for (const line of lines) {
        placed.push({ position, place: { segment: first, offset, length: line.length }, line });
        offset += line.length + 1;
        position += 1;
      }
      yield placed;
    }
  }
}

/** Whether a line that was read earlier is still where it was. */
export const isThere = (directory: string, { segment, offset, length, leaf }: LastLine): boolean => {
  const lines = openLines(directory);
  try {
    const line = lines.at(segment, offset);
    return line !== undefined && line.length === length && Buffer.from(leaf).equals(tree.leaf(line));
  } finally {
    lines.close();
  }
};

/** Reads single lines of a log; those that are asked for in the order in which they stand cost much less. */
export type LineReader = {
  /**
   * The line that begins at a byte of the segment with this first entry; undefined when none does. Its bytes are good until
   * the next call.
   */
  at(segment: number, offset: number): Buffer | undefined;
  close(): void;
};

/** Opens the segments of a log as their lines are asked for. */
export const openLines = (directory: string): LineReader => {
  const files = new Map<number, number>();
  let bytes = Buffer.allocUnsafe(MAX_ENTRY + 1);
  let held = { segment: -1, offset: 0, length: 0 };
  let size = WINDOW;
  const fileOf = (segment: number): number => {
    const file = files.get(segment) ?? openSync(segmentAt(directory, segment).entries, 'r');
    files.set(segment, file);
    return file;
  };
  /** The line, when all of it is among the bytes that were read last. */
  const inHand = (segment: number, offset: number): Buffer | undefined => {
    if (held.segment !== segment || offset < held.offset || offset >= held.offset + held.length) return undefined;
    const from = offset - held.offset;
    const end = bytes.indexOf(LINE_FEED, from);
    return end < 0 || end >= held.length ? undefined : bytes.subarray(from, end);
  };
  const readAt = (segment: number, offset: number, length: number): Buffer | undefined => {
    held = { segment: -1, offset, length: 0 };
    if (length > bytes.length) bytes = Buffer.allocUnsafe(length);
    held = { segment, offset, length: readSync(fileOf(segment), bytes, 0, length, offset) };
    return inHand(segment, offset);
  };
  /** Twice as much as before when the next read would have had the line, as little as at first when not. */
  const windowFor = (segment: number, offset: number): number => {
    const beyond = offset - held.offset;
    const near = held.segment === segment && beyond >= 0 && beyond < held.length + size;
    return near ? Math.min(2 * size, MAX_WINDOW) : WINDOW;
  };
  return {
    at(segment, offset) {
      try {
        const known = inHand(segment, offset);
        if (known !== undefined) return known;
        size = windowFor(segment, offset);
        return readAt(segment, offset, size) ?? readAt(segment, offset, Math.max(size, MAX_ENTRY + 1));
      } catch {
        // No such segment, or not such a byte in it: there is no line.
        return undefined;
      }
    },
    close() {
      for (const file of files.values()) closeSync(file);
    },
  };
};
