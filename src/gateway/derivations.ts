import type { Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import { withoutRuns } from '../formats/dataset-rows.ts';
import type { Report } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Blobs, Records } from '../store/types.ts';
import { planRows, type RowsPlan, rowsIdentity, withoutRows } from '../transcode/rows.ts';
import type { Intakes, Stored } from './intake.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import { openStored } from './release.ts';
import type { ListedFile, RepoAt } from './types.ts';
import type { Scales } from './weigh.ts';

/** A dataset without its flagged rows, which stands under the path of its source. */
export type Derived = {
  /** Its ETag is `oid`: made of the source and of what was left out. */
  readonly file: ListedFile & { readonly sha256: string };
  /** Rows that were left out. */
  readonly dropped: number;
  /** Of the derived bytes, which are not derived again. */
  readonly report: Report;
};

export type Derivations = {
  /**
   * The dataset of this report without its flagged rows: stored before, or written now from the stored source, and then
   * inspected as any file is. Throws NOT_CONVERTIBLE for a report of which no rows can be left out.
   */
  of(repo: RepoAt, file: ListedFile, source: { readonly sha256: string; readonly report: Report }): Promise<Derived>;
};

/** Derived datasets kept in memory; their reports have no findings to speak of. */
const MAX_REMEMBERED = 2_000;
/** Runs of rows that a statement lists; its number of rows says when there are more. */
const MAX_LISTED = 10_000;

/** Datasets without their flagged rows. Each is made once, from a source that is stored and judged. */
export const createDerivations = (
  blobs: Blobs,
  records: Records,
  intakes: Intakes,
  scales: Scales,
  sandbox: Pick<Sandbox, 'ruleset' | 'withoutRows'>,
  entered: (repo: RepoAt, path: string, made: Stored, detail: NonNullable<Entry['detail']>) => Promise<void>,
): Derivations => {
  const remembered = createMemo<Derived>(MAX_REMEMBERED);
  const making = createSingleFlight<Stored>();

  const of: Derivations['of'] = async (repo, file, source) => {
    const { rows } = source.report;
    const plan = planRows(source.report.coverage.bytesTotal, rows);
    if (rows === undefined || plan === undefined)
      throw new WeighbridgeError('NOT_CONVERTIBLE', `no rows of ${file.path} can be left out`);
    const etag = rowsIdentity(source.sha256, plan);
    const key = `${repo.ecosystem}/${repo.repo}/${file.path}@${etag}`;
    const known = remembered.get(key);
    if (known !== undefined && (await blobs.has(known.file.sha256))) return known;
    const stored = await making(
      key,
      async () =>
        (await find(repo, file, source.sha256, plan, etag)) ?? write(repo, file, source.sha256, rows.total, plan, etag),
    );
    const report = await scales.stored(stored.sha256);
    const { rows: left } = report;
    const derived: Derived = {
      file: { path: file.path, oid: etag, ...stored },
      dropped: plan.dropped,
      report: left === undefined ? report : { ...report, rows: withoutRuns(left, 'rows were left out of it before') },
    };
    remembered.set(key, derived);
    return derived;
  };

  const recordKey = (sourceSha256: string, { version }: RowsPlan): string => `${sourceSha256}/${version}`;

  /** What was made before, for those who may read this repo: that it lists the digest of a source does not say that it has it. */
  const find = async (
    repo: RepoAt,
    file: ListedFile,
    sourceSha256: string,
    plan: RowsPlan,
    etag: string,
  ): Promise<Stored | undefined> => {
    const record = await records.get('conversion', recordKey(sourceSha256, plan));
    if (record?.sha256 === undefined || record.etag !== etag || !(await blobs.has(record.sha256))) return undefined;
    const theirs =
      (await intakes.proven(repo, file)) === sourceSha256 || (await intakes.known(repo, file)) !== undefined;
    if (!theirs) return undefined;
    return { sha256: record.sha256, size: record.size };
  };

  const write = async (
    repo: RepoAt,
    file: ListedFile,
    sha256: string,
    total: number,
    plan: RowsPlan,
    etag: string,
  ): Promise<Stored> => {
    const here = (await intakes.known(repo, file)) ?? (await intakes.fetched(repo, file));
    if (here.sha256 !== sha256) {
      throw new WeighbridgeError('UPSTREAM_MISMATCH', `${file.path} is not the file whose rows were judged`);
    }
    const { dropped, runs, size, version } = plan;
    const source = await openStored(blobs, sha256);
    const writer = await blobs.create(size);
    try {
      if (plan.rewrites) await sandbox.withoutRows(source, runs, { size, write: (chunk) => writer.write(chunk) });
      else for await (const chunk of withoutRows(source, runs)) await writer.write(chunk);
      const stored = await writer.commit();
      await records.put('statement', stored.sha256, {
        source: { sha256 },
        converter: version,
        ruleset: sandbox.ruleset,
        output: { sha256: stored.sha256, size: stored.size },
        rows: { before: total, after: total - dropped, dropped },
        dropped: runs.slice(0, MAX_LISTED).map(({ first, last, rule }) => ({ first, last, rule })),
      });
      await records.put('conversion', recordKey(sha256, plan), { etag, ...stored, header: '' }, true);
      const detail = { source: sha256, etag, rowsDropped: dropped };
      await entered(repo, file.path, stored, detail);
      return stored;
    } catch (error) {
      const fault = error instanceof Error ? error : new Error(String(error));
      await writer.abort(fault);
      throw fault;
    } finally {
      await source.close();
    }
  };

  return { of };
};
