import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { createOffsets } from '../../bytes/utf8.ts';
import { type DatasetRows, type GatheredRows, notDroppable, type RowRun, rowsOf, UTF16 } from '../dataset-rows.ts';
import type { Encoding } from '../text/decode.ts';
import { isObject, type JsonValue } from './parse.ts';

/** The rows of JSON Lines: their runs are whole lines, so what is left is JSON Lines again. */
export const inLines = (flagged: GatheredRows, encoding: Encoding): DatasetRows =>
  encoding.name === 'utf-8' ? rowsOf(flagged) : notDroppable(flagged, UTF16);

/**
 * The rows of one JSON list. A run lasts from its first row to the one behind its last; those that the list ends with
 * last from the comma before them to the comma, or the closing bracket at `end`, behind them.
 */
export const inList = (
  flagged: GatheredRows,
  rows: readonly JsonValue[],
  text: string,
  end: number,
  encoding: Encoding,
): DatasetRows => {
  if (encoding.name !== 'utf-8') return notDroppable(flagged, UTF16);
  if (!rows.every(isObject)) return notDroppable(flagged, 'its rows are no objects');
  if (flagged.runs === undefined || flagged.flagged >= flagged.total) return rowsOf(flagged);
  const comma = (row: number): number => (row > rows.length ? end - 1 : text.lastIndexOf(',', at(rows, row)));
  const tail = tailOf(flagged.runs, rows.length);
  const offsetOf = createOffsets(text);
  const runs = flagged.runs.map((run): RowRun => {
    const edge = run.first >= tail ? comma : (row: number) => at(rows, row);
    const start = encoding.mark + offsetOf(edge(run.first));
    return { ...run, start, end: encoding.mark + offsetOf(edge(run.last + 1)) };
  });
  return rowsOf({ ...flagged, runs });
};

/** Bytes of white space between two rows of a list that is read element by element. */
const BETWEEN = 4 * KIB;

/**
 * The same for a list that was read element by element: runs last from row to row, the last one to the bracket at
 * `closed`. So only where those begin that the list ends with is not known yet.
 */
export const inStreamedList = (
  flagged: GatheredRows,
  source: RandomAccess,
  closed: number,
  objects: boolean,
): DatasetRows => {
  if (!objects) return notDroppable(flagged, 'its rows are no objects');
  const { runs, total } = flagged;
  if (runs === undefined || flagged.flagged >= total || runs.at(-1)?.end !== closed) return rowsOf(flagged);
  const tail = tailOf(runs, total);
  const begins = runs.find(({ first }) => first === tail)?.start ?? 0;
  const from = Math.max(0, begins - BETWEEN);
  const comma = from + source.read(from, begins - from).lastIndexOf(COMMA);
  if (comma < from) return notDroppable(flagged, 'the comma before its last rows is too far from them');
  return rowsOf({ ...flagged, runs: runs.map((run) => (run.first === tail ? { ...run, start: comma } : run)) });
};
const COMMA = 0x2c;

/** The row from which on all are flagged to the end. */
const tailOf = (runs: readonly RowRun[], rows: number): number => {
  let tail = rows + 1;
  for (const { first, last } of runs.toReversed()) {
    if (last + 1 !== tail) break;
    tail = first;
  }
  return tail;
};

/** Where the row of this number begins in the text. */
const at = (rows: readonly JsonValue[], row: number): number => {
  const value = rows[row - 1];
  return isObject(value) ? value.at : 0;
};
