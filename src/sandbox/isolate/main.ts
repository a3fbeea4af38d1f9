import './text.ts';
import { createBudget, type Limits, MIB } from '../../bytes/limits.ts';
import { prepareRules } from '../../content/injection/prepare.ts';
import { isFault } from '../../errors.ts';
import { dropRows, type RowRange } from '../../formats/arrow/rewrite/drop-rows.ts';
import { unwrap } from '../../formats/compressed/unwrap.ts';
import { complete, incomplete, type Plan, printable, type Report } from '../../formats/format.ts';
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

/** What is to be done: rows dropped, or a checkpoint unwrapped. */
type Rewriting = {
  readonly limits: Limits;
  readonly dropped?: readonly RowRange[];
  readonly wrapped?: NonNullable<Plan['wrapped']>;
};

type Output = { copy(start: number, end: number): void; write(bytes: Uint8Array): void };

/** The same for a file that is written anew, unwrapped or without some of its rows: the report says no more than whether that was done. */
const rewriteFile = (
  read: ReadRange,
  size: number,
  options: string,
  copy: Output['copy'],
  write: Output['write'],
): string => {
  const { limits, dropped = [], wrapped }: Rewriting = JSON.parse(options);
  const report: Omit<Report, 'coverage'> = { format: wrapped?.by[0] ?? 'parquet', content: 'inert', findings: [] };
  const writeAll = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; at += PIECE) write(bytes.slice(at, at + PIECE));
  };
  const source = overRanges(size, read);
  const budget = createBudget(limits);
  try {
    if (wrapped !== undefined) writeAll(unwrap(source, wrapped, budget));
    else dropRows(source, dropped, budget, { copy, write: writeAll });
    return JSON.stringify({ ...report, coverage: complete(size) });
  } catch (error) {
    if (!isFault(error)) throw error;
    return JSON.stringify({ ...report, coverage: incomplete('partial', 0, size, printable(error.message)) });
  }
};

// Made here, the tables are part of the snapshot: no isolate makes them again.
prepareRules();

Object.assign(globalThis, { inspectFile, rewriteFile, warmUp });
