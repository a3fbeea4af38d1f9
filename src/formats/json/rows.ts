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
