import { MIB } from '../bytes/limits.ts';
import { isFault, WeighbridgeError } from '../errors.ts';
import type { Report } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Blobs, BlobWriter, Records } from '../store/types.ts';
import { artefactKey, type Intakes, isRefusal } from './intake.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import { type RangeRead, readByRange } from './remote.ts';
import type { ListedFile, RepoAt } from './types.ts';

/** A report and what it stands on. */
export type Weighed = {
  readonly report: Report;
  /** sha256 of the bytes: proven for a stored blob, as listed by upstream before. */
  readonly sha256?: string;
  /** The ranges that a provisional report stands on; undefined when the whole local file was read. */
  readonly ranges?: readonly RangeRead[];
};

/** Bytes whose digest is known, and which need not be durable yet. */
export type Arrived = Pick<BlobWriter, 'size' | 'read'>;

export type Scales = {
  /**
   * The report of these bytes under the ruleset in force: remembered, or made now, of the stored blob or of `arrived`, which
   * are all its bytes on their way to the store.
   */
  stored(sha256: string, arrived?: Arrived): Promise<Report>;
  /** A report as early as possible: by Range where the format allows it, else once the file is here. */
  early(repo: RepoAt, file: ListedFile): Promise<Weighed>;
  /** Like `early`, but undefined for a file that would have to be fetched as a whole. */
  lightly(repo: RepoAt, file: ListedFile): Promise<Weighed | undefined>;
  /** What `early` would say without waiting: undefined when nothing is known yet. */
  known(repo: RepoAt, file: ListedFile): Promise<Weighed | undefined>;
};

/**
 * Reports kept in memory, by Range and of stored files: findings, tensors and storages in each of both, of which one takes
 * about 250 bytes. Reading a report of 5,000 tensors from the records at each request would take 4 ms of all others.
 */
const MAX_REMEMBERED = 200_000;
/** Below this size a file is fetched rather than read by Range (bytes). */
const FETCH_BELOW = 1 * MIB;

/** Weighs artefacts: every report of the gateway is made here. */
export const createScales = (
  blobs: Blobs,
  records: Records,
  sandbox: Sandbox,
  intakes: Intakes,
  mayDropRows = (): boolean => false,
): Scales => {
  const reports = createMemo<Report>(MAX_REMEMBERED, weightOf);
  const provisional = createMemo<Weighed>(MAX_REMEMBERED, ({ report }) => weightOf(report));
  const inspecting = createSingleFlight<Report>();
  const weighing = createSingleFlight<Weighed>(isRefusal);
  const reportKey = (sha256: string): string => `${sandbox.ruleset}/${sha256}`;

  /** The report of these bytes under this ruleset, which never changes. */
  const remembered = async (sha256: string): Promise<Report | undefined> => {
    const before = reports.get(sha256);
    if (before !== undefined) return before;
    const report = await records.get('report', reportKey(sha256));
    if (report !== undefined) reports.set(sha256, report);
    return report;
  };

  const stored: Scales['stored'] = async (sha256, arrived) =>
    (await remembered(sha256)) ??
    inspecting(sha256, () => (arrived === undefined ? inspectBlob(sha256) : inspect(sha256, arrived)));

  const inspectBlob = async (sha256: string): Promise<Report> => {
    const blob = await blobs.open(sha256);
    if (blob === undefined) throw new WeighbridgeError('STORE_CORRUPT', `blob ${sha256} is gone`);
    try {
      return await inspect(sha256, blob);
    } finally {
      await blob.close();
    }
  };

  const inspect = async (sha256: string, bytes: Arrived): Promise<Report> => {
    const report = await sandbox.inspect(bytes);
    // What the sandbox could not finish may go better next time, so only what the parsers said is remembered.
    if (report.details?.['sandbox'] === undefined) await records.put('report', reportKey(sha256), report);
    return report;
  };

  const known = async (repo: RepoAt, file: ListedFile): Promise<Weighed | undefined> => {
    const sha256 = await intakes.digest(repo, file);
    const report = sha256 === undefined ? undefined : await remembered(sha256);
    if (report !== undefined && sha256 !== undefined) return { report, sha256 };
    const ranges = provisional.get(artefactKey(repo, file.path));
    return ranges === undefined || lacksRows(ranges.report) ? undefined : ranges;
  };

  /** Of rows nothing is known by Range: where they may be dropped, a file of them is read whole. */
  const lacksRows = ({ format }: Report): boolean => format === 'parquet' && mayDropRows();

  const early = async (repo: RepoAt, file: ListedFile): Promise<Weighed> =>
    (await known(repo, file)) ?? weighing(artefactKey(repo, file.path), () => weigh(repo, file));

  const lightly = async (repo: RepoAt, file: ListedFile): Promise<Weighed | undefined> =>
    (await known(repo, file)) ?? weighLightly(repo, file);

  const weigh = async (repo: RepoAt, file: ListedFile): Promise<Weighed> =>
    (await weighLightly(repo, file)) ?? (await whole(repo, file));

  /** Without fetching the whole file: from the store, or by Range. */
  const weighLightly = async (repo: RepoAt, file: ListedFile): Promise<Weighed | undefined> => {
    const here = await intakes.known(repo, file);
    if (here !== undefined) return { report: await stored(here.sha256), sha256: here.sha256 };
    return file.size >= FETCH_BELOW ? byRange(repo, file) : undefined;
  };

  const whole = async (repo: RepoAt, file: ListedFile): Promise<Weighed> => {
    const { sha256 } = await intakes.fetched(repo, file);
    return { report: await stored(sha256), sha256 };
  };

  const byRange = async (repo: RepoAt, file: ListedFile): Promise<Weighed | undefined> => {
    const remote = readByRange(repo, file);
    try {
      if (!canBeReadByRange(await remote.read(0, 16))) return undefined;
      const report = await sandbox.inspect(remote, { provisional: true });
      if (report.coverage.state !== 'complete' || lacksRows(report)) return undefined;
      const weighed = {
        report,
        ranges: remote.ranges(),
        ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
      };
      provisional.set(artefactKey(repo, file.path), weighed);
      return weighed;
    } catch (error) {
      if (isFault(error, 'LIMIT_EXCEEDED') || isFault(error, 'UPSTREAM_MISMATCH')) return undefined;
      throw error;
    }
  };

  return { stored, early, lightly, known };
};

/** How much memory a report takes, in the parts that there may be many of. A small one counts as some of them. */
export const weightOf = ({ findings, plan, rows, companions = [] }: Report): number =>
  WEIGHT_OF_REST +
  findings.length +
  (rows?.runs?.length ?? 0) +
  (rows?.shown.length ?? 0) +
  companions.reduce((sum, { names, fixed }) => sum + names.length + fixed.length, 0) +
  (plan?.tensors.length ?? 0) +
  (plan?.storages.length ?? 0) +
  (plan?.dropped.length ?? 0);
const WEIGHT_OF_REST = 20;

/** Formats whose verdict stands in a header or directory: zip, GGUF, Parquet, safetensors (`{` behind 8 length bytes). */
export const canBeReadByRange = (start: Uint8Array): boolean => {
  const text = String.fromCharCode(...start);
  return text.startsWith('PK\x03\x04') || text.startsWith('GGUF') || text.startsWith('PAR1') || text[8] === '{';
};
