import { createHash } from 'node:crypto';
import { MIB } from '../bytes/limits.ts';
import type { DatasetRows, RowRun } from '../formats/dataset-rows.ts';
import type { PlanSource } from './types.ts';

/** Part of a derived dataset's identity: raised whenever the same runs would give other bytes. */
const CUT_VERSION = 'weighbridge-rows-1';
/** The same where it is written anew. */
const REWRITE_VERSION = 'weighbridge-parquet-rows-2';

/** Bytes that are copied at a time. */
const COPY_BYTES = 1 * MIB;

/** Bytes of what is left of `size` bytes without the runs. */
export const sizeWithout = (size: number, runs: readonly RowRun[]): number =>
  runs.reduce((left, { start, end }) => left - (end - start), size);

/** Rows of the runs. */
const rowsOfRuns = (runs: readonly RowRun[]): number =>
  runs.reduce((sum, { first, last }) => sum + last - first + 1, 0);

/** The bytes of `source` without those of the runs, which are in order and apart. Nothing is parsed: the runs say it all. */
export async function* withoutRows(source: PlanSource, runs: readonly RowRun[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { start, end } of [...runs, { start: source.size, end: source.size }]) {
    for (; at < start; at += COPY_BYTES) yield await source.read(at, Math.min(COPY_BYTES, start - at));
    at = end;
  }
}

/** How rows are left out of a file: by cutting bytes, or, in the sandbox, by writing it anew. */
export type RowsPlan = {
  readonly runs: readonly RowRun[];
  readonly rewrites: boolean;
  readonly version: string;
  /** Bytes of what is left, and the rows that go. */
  readonly size: number;
  readonly dropped: number;
};

/** The plan to cut the bytes of `runs` out of a file of `size` bytes. */
export const planCut = (size: number, runs: readonly RowRun[], version: string): RowsPlan => ({
  runs,
  rewrites: false,
  version,
  size: sizeWithout(size, runs),
  dropped: rowsOfRuns(runs),
});

/** The plan for a file of `size` bytes; undefined when no rows can be left out. */
export const planRows = (size: number, rows: DatasetRows | undefined): RowsPlan | undefined => {
  if (rows?.runs === undefined) return undefined;
  const { rewritten, runs } = rows;
  return rewritten === undefined
    ? planCut(size, runs, CUT_VERSION)
    : { runs, rewrites: true, version: REWRITE_VERSION, size: rewritten, dropped: rowsOfRuns(runs) };
};

/** The name by which clients cache a derived dataset: 40 hex digits, the same for the same rows of the same source. */
export const rowsIdentity = (sourceSha256: string, { rewrites, runs, version }: RowsPlan): string => {
  const hash = createHash('sha256').update(sourceSha256).update(version);
  for (const { first, last, start, end } of runs) hash.update(rewrites ? `${first}-${last},` : `${start}-${end},`);
  return hash.digest('hex').slice(0, 40);
};
