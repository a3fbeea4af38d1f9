import type { Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import { withoutRuns } from '../formats/dataset-rows.ts';
import type { Json, Report } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Blobs, Records } from '../store/types.ts';
import { planCut, planRows, type RowsPlan, rowsIdentity, withoutRows } from '../transcode/rows.ts';
import { CARD_BYTES, declaredSplits } from './card.ts';
import type { Intakes, Stored } from './intake.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import { isCard } from './names.ts';
import { openStored } from './release.ts';
import type { ListedFile, RepoAt } from './types.ts';
import type { Scales } from './weigh.ts';

/** A dataset without its flagged rows, or a card without its numbers of rows, which stands under the path of its source. */
export type Derived = {
  /** Its ETag is `oid`: made of the source and of what was left out. */
  readonly file: ListedFile & { readonly sha256: string };
  /** Rows, of a card lines, that were left out. */
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
  /**
   * The card of a dataset without the numbers of rows that it declares, while policies drop rows: `datasets` stops at
   * others. Undefined for a file that is no card, or declares none.
   */
  card(repo: RepoAt, file: ListedFile, sha256: string): Promise<Derived | undefined>;
};

/** What is left out of a file, and what the statement and the log say of it beside. */
type Cut = {
  readonly plan: RowsPlan;
  readonly statement: { readonly [key: string]: Json };
  readonly detail: NonNullable<Entry['detail']>;
};

/** Derived datasets kept in memory; their reports have no findings to speak of. */
const MAX_REMEMBERED = 2_000;
/** Runs of rows that a statement lists; its number of rows says when there are more. */
const MAX_LISTED = 10_000;
/** Part of a derived card's identity. */
const CARD_VERSION = 'weighbridge-card-1';

/** Datasets without their flagged rows. Each is made once, from a source that is stored and judged. */
export const createDerivations = (
  blobs: Blobs,
  records: Records,
  intakes: Intakes,
  scales: Scales,
  sandbox: Pick<Sandbox, 'ruleset' | 'withoutRows'>,
  entered: (repo: RepoAt, path: string, made: Stored, detail: NonNullable<Entry['detail']>) => Promise<void>,
  mayDropRows: () => boolean,
): Derivations => {
  const remembered = createMemo<Derived>(MAX_REMEMBERED);
  const making = createSingleFlight<Stored>();

  const of: Derivations['of'] = async (repo, file, source) => {
    const { rows } = source.report;
    const plan = planRows(source.report.coverage.bytesTotal, rows);
    if (rows === undefined || plan === undefined)
      throw new WeighbridgeError('NOT_CONVERTIBLE', `no rows of ${file.path} can be left out`);
    const { dropped } = plan;
    const statement = { rows: { before: rows.total, after: rows.total - dropped, dropped } };
    return derive(repo, file, source.sha256, { plan, statement, detail: { rowsDropped: dropped } });
  };

  const card: Derivations['card'] = async (repo, file, sha256) => {
    if (!mayDropRows() || !isCard(repo, file.path) || file.size > CARD_BYTES) return undefined;
    await stored(repo, file, sha256);
    const runs = await splitsOf(sha256);
    if (runs.length === 0) return undefined;
    const plan = planCut(file.size, runs, CARD_VERSION);
    const said = { lines: plan.dropped };
    return derive(repo, file, sha256, { plan, statement: { card: said }, detail: { cardLines: plan.dropped } });
  };

  const splitsOf = async (sha256: string): Promise<ReturnType<typeof declaredSplits>> => {
    const source = await openStored(blobs, sha256);
    try {
      return declaredSplits(await source.read(0, source.size));
    } finally {
      await source.close();
    }
  };

  const derive = async (repo: RepoAt, file: ListedFile, sha256: string, cut: Cut): Promise<Derived> => {
    const { plan } = cut;
    const etag = rowsIdentity(sha256, plan);
    const key = `${repo.ecosystem}/${repo.repo}/${file.path}@${etag}`;
    const known = remembered.get(key);
    if (known !== undefined && (await blobs.has(known.file.sha256))) return known;
    const made = await making(
      key,
      async () => (await find(repo, file, sha256, plan, etag)) ?? write(repo, file, sha256, cut, etag),
    );
    const report = await scales.stored(made.sha256);
    const { rows: left } = report;
    const derived: Derived = {
      file: { path: file.path, oid: etag, ...made },
      dropped: plan.dropped,
      report: left === undefined ? report : { ...report, rows: withoutRuns(left, 'rows were left out of it before') },
    };
    remembered.set(key, derived);
    return derived;
  };

  /** Throws UPSTREAM_MISMATCH unless the source of this digest is in the store, fetched if need be. */
  const stored = async (repo: RepoAt, file: ListedFile, sha256: string): Promise<void> => {
    const here = (await intakes.known(repo, file)) ?? (await intakes.fetched(repo, file));
    if (here.sha256 === sha256) return;
    throw new WeighbridgeError('UPSTREAM_MISMATCH', `${file.path} is not the file that was judged`);
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
    { plan, statement, detail }: Cut,
    etag: string,
  ): Promise<Stored> => {
    await stored(repo, file, sha256);
    const { runs, size, version } = plan;
    const source = await openStored(blobs, sha256);
    const writer = await blobs.create(size);
    try {
      if (plan.rewrites) await sandbox.withoutRows(source, runs, { size, write: (chunk) => writer.write(chunk) });
      else for await (const chunk of withoutRows(source, runs)) await writer.write(chunk);
      const made = await writer.commit();
      await records.put('statement', made.sha256, {
        source: { sha256 },
        converter: version,
        ruleset: sandbox.ruleset,
        output: { sha256: made.sha256, size: made.size },
        ...statement,
        dropped: runs.slice(0, MAX_LISTED).map(({ first, last, rule }) => ({ first, last, rule })),
      });
      await records.put('conversion', recordKey(sha256, plan), { etag, ...made, header: '' }, true);
      await entered(repo, file.path, made, { source: sha256, etag, ...detail });
      return made;
    } catch (error) {
      const fault = error instanceof Error ? error : new Error(String(error));
      await writer.abort(fault);
      throw fault;
    } finally {
      await source.close();
    }
  };

  return { of, card };
};
