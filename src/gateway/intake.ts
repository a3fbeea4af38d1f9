import { isFault, WeighbridgeError } from '../errors.ts';
import type { Blobs, BlobWriter, Records } from '../store/types.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import type { ListedFile, RepoAt } from './types.ts';

/** A file on its way from upstream into the store. Readers follow `writer`; nobody's leaving stops it. */
export type Intake = {
  readonly writer: BlobWriter;
  /** Resolves once all bytes are here and agree with the digest upstream gave; `writer` can be read from then on. */
  readonly arrived: Promise<Stored>;
  /** Resolves once they are stored, too, and `Blobs.open` knows them. */
  readonly done: Promise<Stored>;
};

export type Stored = { readonly sha256: string; readonly size: number };

export type Intakes = {
  /** The sha256 of the artefact: upstream's for an LFS file, else the one it had when it was fetched. */
  digest(repo: RepoAt, file: ListedFile): Promise<string | undefined>;
  /**
   * What is stored of the artefact, if anything is and upstream gives it to those who may read this repo. Bytes that came
   * from elsewhere are asked about: that a repo lists a digest does not say that it has the file.
   */
  known(repo: RepoAt, file: ListedFile): Promise<Stored | undefined>;
  /** The one transfer of the artefact: begun now, or the one under way. */
  begin(repo: RepoAt, file: ListedFile): Promise<Intake>;
  /** The stored artefact, transferred now if need be. A refusal that was meant for another caller is not passed on. */
  fetched(repo: RepoAt, file: ListedFile): Promise<Stored>;
  /** The sha256 that the artefact had when it was fetched or asked about here, if it ever was and is listed as it was then. */
  proven(repo: RepoAt, file: ListedFile): Promise<string | undefined>;
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

/** Bytes of its end that upstream is asked for where a stored file came from another repo. */
const ASKED_BYTES = 4096;

/** Upstream does not give this file to whoever asked first; another may have other rights. */
export const isRefusal = (error: unknown): boolean => isFault(error, 'UPSTREAM_REFUSED');

/** All bytes came, and they are others than upstream lists. */
const isWrongDigest = (error: unknown): boolean =>
  isFault(error, 'UPSTREAM_MISMATCH') && error.details['expected'] !== undefined;

/** The key of an artefact in the records. */
export const artefactKey = (repo: RepoAt, path: string): string =>
  `${repo.ecosystem}/${repo.repo}/${repo.commit}/${path}`;

/** Callers with the rights to one repo share its transfers; those of another repo do not. */
const transferKey = (repo: RepoAt, file: ListedFile): string =>
  file.sha256 === undefined ? artefactKey(repo, file.path) : `${repo.ecosystem}/${repo.repo}@${file.sha256}`;

/** Transfers from upstream, one for each artefact however many ask for it. */
export const createIntakes = (blobs: Blobs, records: Records): Intakes => {
  const running = new Map<string, Promise<Intake>>();
  const liars = new Map<string, number>();
  const digests = createMemo<string>(MAX_DIGESTS);
  const asking = createSingleFlight<boolean>(isRefusal);

  const proven: Intakes['proven'] = async (repo, file) => {
    const { oid, path, sha256, size } = file;
    const key = `${artefactKey(repo, path)}\n${sha256 ?? oid}\n${size}`;
    const before = digests.get(key);
    if (before !== undefined) return before;
    const record = await records.get('artefact', artefactKey(repo, path));
    if (record?.sha256 === undefined || record.etag !== (sha256 ?? oid) || record.size !== size) return undefined;
    digests.set(key, record.sha256);
    return record.sha256;
  };

  const remember = (repo: RepoAt, { oid, path, sha256, size }: ListedFile, digest: string): Promise<void> =>
    records.put('artefact', artefactKey(repo, path), {
      size,
      etag: sha256 ?? oid,
      sha256: digest,
      fetchedAt: Date.now(),
    });

  const digest: Intakes['digest'] = async (repo, file) => file.sha256 ?? (await proven(repo, file));

  const known = async (repo: RepoAt, file: ListedFile): Promise<Stored | undefined> => {
    const sha256 = await digest(repo, file);
    if (sha256 === undefined || !(await blobs.has(sha256))) return undefined;
    const mine =
      (await proven(repo, file)) === sha256 ||
      (await asking(artefactKey(repo, file.path), () => askAbout(repo, file, sha256)));
    return mine ? { sha256, size: file.size } : undefined;
  };

  /** Whether upstream gives this caller the end of the file, and it is the end of the stored one. */
  const askAbout = async (repo: RepoAt, file: ListedFile, sha256: string): Promise<boolean> => {
    const blob = await blobs.open(sha256);
    if (blob === undefined) return false;
    try {
      if (blob.size !== file.size) return false;
      const start = Math.max(file.size - ASKED_BYTES, 0);
      let at = start;
      for await (const chunk of repo.fetch(file, start, file.size)) {
        if (!Buffer.from(await blob.read(at, chunk.length)).equals(chunk)) return false;
        at += chunk.length;
      }
      await remember(repo, file, sha256);
      return true;
    } finally {
      await blob.close();
    }
  };

  const begin = (repo: RepoAt, file: ListedFile): Promise<Intake> => {
    const key = transferKey(repo, file);
    const current = running.get(key);
    if (current !== undefined) return current;
    const started = start(repo, file, key);
    running.set(key, started);
    return started;
  };

  const fetched: Intakes['fetched'] = async (repo, file) => {
    const joined = running.has(transferKey(repo, file));
    // A transfer that served the inspection may be over by now.
    const here = joined ? undefined : await known(repo, file);
    if (here !== undefined) return here;
    try {
      return await (await begin(repo, file)).done;
    } catch (error) {
      if (joined && isRefusal(error)) return fetched(repo, file);
      // Nobody has seen these bytes, and what spoilt them on the way may not do so again.
      if (isWrongDigest(error)) return (await begin(repo, file)).done;
      throw error;
    }
  };

  const start = async (repo: RepoAt, file: ListedFile, key: string): Promise<Intake> => {
    try {
      const writer = await blobs.create(file.size, { gitSha1: file.sha256 === undefined });
      const arrived = receive(repo, file, writer).catch((error: unknown) => giveUp(repo, file, writer, key, error));
      const done = keep(repo, file, writer, key, arrived);
      // Nobody may be listening when a transfer fails; whoever waits for one of the two still sees the fault.
      done.catch(() => undefined);
      return { writer, arrived, done };
    } catch (error) {
      running.delete(key);
      throw error;
    }
  };

  const receive = async (repo: RepoAt, file: ListedFile, writer: BlobWriter): Promise<Stored> => {
    for await (const chunk of repo.fetch(file, 0, file.size, undefined, writer.room)) await writer.write(chunk);
    return { sha256: await checkDigest(file, writer), size: file.size };
  };

  const keep = async (
    repo: RepoAt,
    file: ListedFile,
    writer: BlobWriter,
    key: string,
    arrived: Promise<Stored>,
  ): Promise<Stored> => {
    await arrived;
    try {
      const stored = await writer.commit();
      await remember(repo, file, stored.sha256);
      running.delete(key);
      return stored;
    } catch (error) {
      return giveUp(repo, file, writer, key, error);
    }
  };

  /** Whoever hears of the fault and asks again begins anew: this transfer is gone by then. */
  const giveUp = async (
    repo: RepoAt,
    file: ListedFile,
    writer: BlobWriter,
    key: string,
    error: unknown,
  ): Promise<never> => {
    const fault = error instanceof Error ? error : new Error(String(error));
    if (isFault(fault, 'UPSTREAM_MISMATCH')) mistrust(artefactKey(repo, file.path));
    await writer.abort(fault).finally(() => running.delete(key));
    throw fault;
  };

  const mistrust = (key: string): void => {
    liars.delete(key);
    liars.set(key, performance.now() + MISTRUST_MS);
    const [oldest] = liars.keys();
    if (liars.size > MAX_LIARS && oldest !== undefined) liars.delete(oldest);
  };

  return {
    digest,
    known,
    begin,
    fetched,
    proven,
    lied: (repo, file) => (liars.get(artefactKey(repo, file.path)) ?? 0) > performance.now(),
    idle: async () => {
      while (running.size > 0) {
        const all = [...running.values()].map(async (intake) => (await intake).done);
        await Promise.allSettled(all);
      }
    },
  };
};

/** The sha256. Throws UPSTREAM_MISMATCH unless the bytes are those that upstream listed: LFS sha256, or git blob sha1. */
const checkDigest = async (file: ListedFile, writer: BlobWriter): Promise<string> => {
  const { sha256, gitSha1 } = await writer.digests();
  const expected = file.sha256 ?? file.oid;
  const actual = file.sha256 === undefined ? gitSha1 : sha256;
  if (writer.size !== file.size || actual !== expected) {
    const message = `upstream sent bytes of ${file.path} that do not have the digest it lists (${expected})`;
    throw new WeighbridgeError('UPSTREAM_MISMATCH', message, { expected, actual: actual ?? '', size: writer.size });
  }
  return sha256;
};
