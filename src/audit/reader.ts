import { open } from 'node:fs/promises';
import { WeighbridgeError } from '../errors.ts';
import { type LoggedEntry, parseEntry } from './entry.ts';
import { listSegments, type Segment } from './layout.ts';

/** Bytes read at a time. */
const READ_BYTES = 1024 * 1024;
/** Bytes of a line; entries have at most 16 KiB, so that a longer one is none. */
const MAX_LINE = 1024 * 1024;

/** The complete lines of a file without their line breaks, many at a time. The last ones may lack theirs: see `torn`. */
export type Lines = { readonly lines: readonly Buffer[]; readonly torn?: Buffer };

/** Reads a file of lines from byte `from` on; memory does not grow with it. Throws LOG_CORRUPT for an endless line. */
export async function* readLines(path: string, from = 0): AsyncGenerator<Lines> {
  const file = await open(path, 'r');
  try {
    let rest = Buffer.alloc(0);
    let position = from;
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const lines: Buffer[] = [];
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        lines.push(bytes.subarray(start, end));
        start = end + 1;
      }
      rest = bytes.subarray(start);
      if (rest.length > MAX_LINE) {
        throw new WeighbridgeError('LOG_CORRUPT', `${path} has a line of more than ${MAX_LINE} bytes`, {
          limit: MAX_LINE,
        });
      }
      yield { lines };
    }
    if (rest.length > 0) yield { lines: [], torn: rest };
  } finally {
    await file.close();
  }
}

/** An entry with its position and its exact bytes. */
export type ReadEntry = { readonly index: number; readonly line: string; readonly entry: LoggedEntry };

/**
 * The entries of a log in order, from those of `since` (ms since the epoch) on. What is not whole, as at the end of a
 * log that is being written, is left out: `weighbridge log verify` is the one to judge it.
 */
export async function* readEntries(directory: string, since = 0): AsyncGenerator<ReadEntry> {
  for (const segment of await fromTime(listSegments(directory), since)) {
    let index = segment.first;
    for await (const { lines } of readLines(segment.entries)) {
      for (const bytes of lines) {
        const line = bytes.toString();
        const entry = parseEntry(line);
        if (entry !== undefined && Date.parse(entry.time) >= since) yield { index, line, entry };
        index += 1;
      }
    }
  }
}

/** Leaves out the segments that ended before `since`: those whose successor begins before it. */
const fromTime = async (segments: readonly Segment[], since: number): Promise<readonly Segment[]> => {
  for (let at = segments.length - 1; at > 0; at -= 1) {
    const segment = segments[at];
    if (segment !== undefined && (await startOf(segment)) < since) return segments.slice(at);
  }
  return segments;
};

const startOf = async ({ entries }: Segment): Promise<number> => {
  for await (const { lines } of readLines(entries)) {
    const first = lines[0] && parseEntry(lines[0].toString());
    return first === undefined ? Number.POSITIVE_INFINITY : Date.parse(first.time);
  }
  return Number.POSITIVE_INFINITY;
};
