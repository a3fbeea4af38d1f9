import './text.ts';
import { createBudget, type Limits, MIB } from '../../bytes/limits.ts';
import { prepareRules } from '../../content/injection/prepare.ts';
import { isFault } from '../../errors.ts';
import { dropRows, type RowRange } from '../../formats/arrow/rewrite/drop-rows.ts';
import { complete, incomplete, printable, type Report } from '../../formats/format.ts';
import { inspect } from '../../formats/index.ts';
import { overRanges, type ReadRange } from './ranges.ts';
import { warmUp } from './warm-up.ts';

/** What the worker calls in a fresh isolate: the report of a file of `size` bytes, as JSON. `options` is JSON too. */
const inspectFile = (read: ReadRange, size: number, options: string): string => {
  const parsed: Parameters<typeof inspect>[1] = JSON.parse(options);
  return JSON.stringify(inspect(overRanges(size, read, parsed?.provisional), parsed));
};

/** Bytes of one piece that is written. */
const PIECE = 1 * MIB;

type Output = { copy(start: number, end: number): void; write(bytes: Uint8Array): void };

/** The same for a file that is written anew without some of its rows: the report says no more than whether that was done. */
const rewriteFile = (
  read: ReadRange,
  size: number,
  options: string,
  copy: Output['copy'],
  write: Output['write'],
): string => {
  const { limits, dropped }: { limits: Limits; dropped: readonly RowRange[] } = JSON.parse(options);
  const report: Omit<Report, 'coverage'> = { format: 'parquet', content: 'inert', findings: [] };
  try {
    dropRows(overRanges(size, read), dropped, createBudget(limits), {
      copy,
      write(bytes) {
        for (let at = 0; at < bytes.length; at += PIECE) write(bytes.slice(at, at + PIECE));
      },
    });
    return JSON.stringify({ ...report, coverage: complete(size) });
  } catch (error) {
    if (!isFault(error)) throw error;
    return JSON.stringify({ ...report, coverage: incomplete('partial', 0, size, printable(error.message)) });
  }
};

// Made here, the tables are part of the snapshot: no isolate makes them again.
prepareRules();

Object.assign(globalThis, { inspectFile, rewriteFile, warmUp });
