import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { GIB, MIB, within } from '../../bytes/limits.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import type { Report } from '../../formats/format.ts';
import { explain, type Index } from '../../gateway/explain.ts';
import { joinFacts } from '../../gateway/facts.ts';
import { artefactKey } from '../../gateway/intake.ts';
import { readByRange } from '../../gateway/remote.ts';
import type { ListedFile, RepoAt, Requester } from '../../gateway/types.ts';
import { canBeReadByRange } from '../../gateway/weigh.ts';
import { version } from '../../package.ts';
import type { Facts } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import { folderInRepo } from './beside.ts';
import { inspectOpen } from './file.ts';
import type { Scale, Target } from './types.ts';

/** Below this size fetching a file costs less than asking for its parts (bytes). */
const FETCH_BELOW = 1 * MIB;
/** Largest file that is fetched to be scanned (bytes): it lies in the temporary folder meanwhile. */
const MAX_SPOOLED = 100 * GIB;

/** Where files that cannot be judged by Range lie while they are scanned. */
export type Spool = {
  /** Has `work` write and read a file that has no name any more: whatever ends the scan, nothing stays. */
  hold<T>(work: (file: FileHandle) => Promise<T>): Promise<T>;
  /** Whether a file of unknown digest is fetched even if ranges of it would do: its digest is to be looked up. */
  readonly forDigests: boolean;
};

/** Files in the system's temporary folder, each gone from it as soon as it is open. */
export const createSpool = (forDigests = false): Spool => ({
  forDigests,
  async hold(work) {
    const path = join(tmpdir(), `weighbridge-scan-${randomUUID()}`);
    const file = await open(path, 'wx+', 0o600);
    // Where a file cannot be removed while it is open it is removed at the end.
    await rm(path, { force: true }).catch(() => undefined);
    try {
      return await work(file);
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  },
});

/** How a remote file is named, and whether its server gives parts of it. */
export type Remote = { readonly path: string; readonly ranges: boolean };

/** A file of a repo, or behind a URL: judged by Range where its format allows that, else fetched and judged as a whole. */
export const remoteFile = (repo: RepoAt, file: ListedFile, { path, ranges }: Remote, spool: Spool): Target => ({
  path,
  async weigh(scale) {
    const { sandbox, begin } = scale;
    begin();
    const lightly = ranges && file.size >= FETCH_BELOW && (file.sha256 !== undefined || !spool.forDigests);
    const early = lightly ? await byRange(sandbox, repo, file) : undefined;
    const known = early ?? (await spool.hold((spooled) => explained(scale, repo, file, spooled, spool)));
    return { report: known.report, facts: joinFacts(repo, file, US, 'local', known) };
  },
});

type Known = { readonly report: Report; readonly sha256: string; readonly explainedBy?: Facts['explainedBy'] };

/** The whole file with its report, and the index beside it that lays out its bytes when nothing recognises them. */
const explained = async (
  { sandbox, allows, indexes }: Scale,
  repo: RepoAt,
  file: ListedFile,
  spooled: FileHandle,
  spool: Spool,
): Promise<Known> => {
  const known = await whole(sandbox, repo, file, spooled);
  const weigh = (path: string): Promise<Index> =>
    indexes(artefactKey(repo, path), async () => {
      const index = repo.files.get(path);
      if (index === undefined) throw new WeighbridgeError('NOT_FOUND', `${path} is not in the listing`);
      const found = await spool.hold((other) => whole(sandbox, repo, index, other));
      return { ...found, allowed: allows(joinFacts(repo, index, US, 'local', found)) };
    });
  const explainedBy = await explain(basename(file.path), known.report, folderInRepo(repo, file.path, spooled, weigh));
  return explainedBy === undefined ? known : { ...known, explainedBy };
};

const US: Requester = {
  request: { id: '', method: 'GET', route: 'scan' },
  identity: 'local',
  team: '',
  environment: '',
  teamFrom: '',
  client: { name: 'weighbridge', version },
  checksLength: true,
  signal: new AbortController().signal,
};

/** The report that stands in a directory or header; undefined when more of the file is needed. */
const byRange = async (sandbox: Sandbox, repo: RepoAt, file: ListedFile): Promise<Known | undefined> => {
  const source = readByRange(repo, file);
  try {
    if (!canBeReadByRange(await source.read(0, 16))) return undefined;
    const report = await sandbox.inspect(source, { provisional: true });
    return report.coverage.state === 'complete' ? { report, sha256: file.sha256 ?? '' } : undefined;
  } catch (error) {
    if (isFault(error, 'LIMIT_EXCEEDED') || isFault(error, 'UPSTREAM_MISMATCH')) return undefined;
    throw error;
  }
};

const whole = async (sandbox: Sandbox, repo: RepoAt, file: ListedFile, spooled: FileHandle): Promise<Known> => {
  within('scan.spooled', file.size, MAX_SPOOLED);
  const gitSha1 = createHash('sha1').update(`blob ${file.size}\0`);
  for await (const chunk of repo.fetch(file, 0, file.size)) {
    gitSha1.update(chunk);
    await spooled.writeFile(chunk);
  }
  const { report, sha256 } = await inspectOpen(sandbox, spooled, () => undefined);
  const listed = file.sha256 ?? file.oid;
  const found = file.sha256 === undefined ? gitSha1.digest('hex') : sha256;
  if (listed !== '' && listed !== found) {
    throw new WeighbridgeError('UPSTREAM_MISMATCH', `upstream sent other bytes than it lists (${listed})`);
  }
  return { report, sha256 };
};
