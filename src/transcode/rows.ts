import { createHash } from 'node:crypto';
import { MIB } from '../bytes/limits.ts';
import type { RowRun } from '../formats/dataset-rows.ts';
import type { PlanSource } from './types.ts';

/** Part of a derived dataset's identity: raised whenever the same runs would give other bytes. */
export const ROWS_VERSION = 'weighbridge-rows-1';

/** Bytes that are copied at a time. */
const COPY_BYTES = 1 * MIB;

/** Bytes of what is left of `size` bytes without the runs. */
export const sizeWithout = (size: number, runs: readonly RowRun[]): number =>
  runs.reduce((left, { start, end }) => left - (end - start), size);

/** Rows of the runs. */
export const rowsOfRuns = (runs: readonly RowRun[]): number =>
  runs.reduce((sum, { first, last }) => sum + last - first + 1, 0);

/** The bytes of `source` without those of the runs, which are in order and apart. Nothing is parsed: the runs say it all. */
export async function* withoutRows(source: PlanSource, runs: readonly RowRun[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { start, end } of [...runs, { start: source.size, end: source.size }]) {
    for (; at < start; at += COPY_BYTES) yield await source.read(at, Math.min(COPY_BYTES, start - at));
    at = end;
  }
}

/** The name by which clients cache a derived dataset: 40 hex digits, the same for the same rows of the same source. */
export const rowsIdentity = (sourceSha256: string, runs: readonly RowRun[]): string => {
  const hash = createHash('sha256').update(sourceSha256).update(ROWS_VERSION);
  for (const { start, end } of runs) hash.update(`${start}-${end},`);
  return hash.digest('hex').slice(0, 40);
};
