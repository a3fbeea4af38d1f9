import { isFault, WeighbridgeError } from '../errors.ts';
import type { Blobs, BlobWriter, Records } from '../store/types.ts';
import { createMemo } from './memo.ts';
import type { ListedFile, RepoAt } from './types.ts';

/** A file on its way from upstream into the store. Readers follow `writer`; nobody's leaving stops it. */
export type Intake = {
  readonly writer: BlobWriter;
  /** Resolves once the bytes agree with the digest upstream gave and are stored. */
  readonly done: Promise<Stored>;
};

export type Stored = { readonly sha256: string; readonly size: number };

export type Intakes = {
  /** The sha256 of the artefact: upstream's for an LFS file, else the one it had when it was fetched. */
  digest(repo: RepoAt, file: ListedFile): Promise<string | undefined>;
  /** What is stored of the artefact, if anything is. */
  known(repo: RepoAt, file: ListedFile): Promise<Stored | undefined>;
  /** The one transfer of the artefact: begun now, or the one under way. */
  begin(repo: RepoAt, file: ListedFile): Promise<Intake>;
  /** True for an hour after upstream sent bytes that are not what it had announced. */
  lied(repo: RepoAt, file: ListedFile): boolean;
  /** Resolves when no transfer is under way. */
  idle(): Promise<void>;
};

/** A client may hold a wrong prefix this long and must then start from byte 0. */
const MISTRUST_MS = 3_600_000;
/** Entries of the table of liars; the oldest leave first. */
const MAX_LIARS = 10_000;

/** Digests of fetched artefacts kept in memory; they never change, since an artefact lies behind a commit. */
const MAX_DIGESTS = 20_000;

/** The key of an artefact in the records. */
export const artefactKey = (repo: RepoAt, path: string): string =>
  `${repo.ecosystem}/${repo.repo}/${repo.commit}/${path}`;

/** Transfers from upstream, one for each artefact however many ask for it. */
export const createIntakes = (blobs: Blobs, records: Records): Intakes => {
  const running = new Map<string, Promise<Intake>>();
  const liars = new Map<string, number>();
  const digests = createMemo<string>(MAX_DIGESTS);

  const digest = async (repo: RepoAt, file: ListedFile): Promise<string | undefined> => {
    if (file.sha256 !== undefined) return file.sha256;
    const key = artefactKey(repo, file.path);
    const sha256 = digests.get(key) ?? (await records.get('artefact', key))?.sha256;
    if (sha256 !== undefined) digests.set(key, sha256);
    return sha256;
  };

  const known = async (repo: RepoAt, file: ListedFile): Promise<Stored | undefined> => {
    const sha256 = await digest(repo, file);
    if (sha256 === undefined || !(await blobs.has(sha256))) return undefined;
    return { sha256, size: file.size };
  };

  const begin = (repo: RepoAt, file: ListedFile): Promise<Intake> => {
    const key = file.sha256 ?? artefactKey(repo, file.path);
    const current = running.get(key);
    if (current !== undefined) return current;
    const started = start(repo, file, key);
    running.set(key, started);
    return started;
  };

  const start = async (repo: RepoAt, file: ListedFile, key: string): Promise<Intake> => {
    try {
      const writer = await blobs.create(file.size, { gitSha1: file.sha256 === undefined });
      const done = transfer(repo, file, writer).finally(() => running.delete(key));
      // Nobody may be listening when a transfer fails; whoever waits for `done` still sees the fault.
      done.catch(() => undefined);
      return { writer, done };
    } catch (error) {
      running.delete(key);
      throw error;
    }
  };

  const transfer = async (repo: RepoAt, file: ListedFile, writer: BlobWriter): Promise<Stored> => {
    try {
      for await (const chunk of repo.fetch(file, 0, file.size)) await writer.write(chunk);
      await checkDigest(file, writer);
      const stored = await writer.commit();
      const { size, oid, sha256 } = file;
      const record = { size, etag: sha256 ?? oid, sha256: stored.sha256, fetchedAt: Date.now() };
      await records.put('artefact', artefactKey(repo, file.path), record);
      return stored;
    } catch (error) {
      const fault = error instanceof Error ? error : new Error(String(error));
      if (isFault(fault, 'UPSTREAM_MISMATCH')) mistrust(artefactKey(repo, file.path));
      await writer.abort(fault);
      throw fault;
    }
  };

  const mistrust = (key: string): void => {
    liars.delete(key);
    liars.set(key, Date.now() + MISTRUST_MS);
    const [oldest] = liars.keys();
    if (liars.size > MAX_LIARS && oldest !== undefined) liars.delete(oldest);
  };

  return {
    digest,
    known,
    begin,
    lied: (repo, file) => (liars.get(artefactKey(repo, file.path)) ?? 0) > Date.now(),
    idle: async () => {
      while (running.size > 0) {
        const all = [...running.values()].map(async (intake) => (await intake).done);
        await Promise.allSettled(all);
      }
    },
  };
};

/** Throws UPSTREAM_MISMATCH unless the bytes are the ones that upstream listed: LFS sha256, or git blob sha1. */
const checkDigest = async (file: ListedFile, writer: BlobWriter): Promise<void> => {
  const { sha256, gitSha1 } = await writer.digests();
  const expected = file.sha256 ?? file.oid;
  const actual = file.sha256 === undefined ? gitSha1 : sha256;
  if (writer.size !== file.size || actual !== expected) {
    const message = `upstream sent bytes of ${file.path} that do not have the digest it lists (${expected})`;
    throw new WeighbridgeError('UPSTREAM_MISMATCH', message, { expected, actual: actual ?? '', size: writer.size });
  }
};
