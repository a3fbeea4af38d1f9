import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { createBlobHandles } from './blob-handles.ts';
import { type BlobIndex, createBlobIndex } from './blob-index.ts';
import { createBlobWriter } from './blob-writer.ts';
import { loadBlobs } from './blobs-load.ts';
import { createDigestPool } from './digests.ts';
import { type Disk, diskFault, disk as realDisk } from './disk.ts';
import { createIntake } from './intake.ts';
import { blobFolders, blobPath, isSha256, layout } from './layout.ts';
import { createProofs } from './proofs.ts';
import { createSeals } from './seals.ts';
import type { BlobHandle, Blobs, Records } from './types.ts';

/** ms between two notes in the records that the same blob was served. */
const SERVED_NOTE_INTERVAL = 60_000;

export type FileBlobsOptions = {
  /** The data folder (layout.ts). */
  readonly root: string;
  /** Bytes that blobs may take; Infinity for what the disk has. */
  readonly limit: number;
  /** Where sizes and times of use are kept over restarts. */
  readonly records: Records;
  readonly disk?: Disk;
  /** ms after which a blob is made durable (seals.ts). */
  readonly sealAfter?: number;
  /** Blobs that are not evicted, however long they were not served. */
  readonly kept?: (sha256: string) => boolean;
};

/**
 * Blobs in a folder, by content. A blob appears under its name when all of it is written, and is made durable and read-only
 * later; one that was not when the machine stopped is hashed before it is served. What a crash leaves in `tmp` is removed
 * here, at the start. Rejects with STORE_CORRUPT when the folder cannot be used.
 */
export const createFileBlobs = async ({
  root,
  limit,
  records,
  disk = realDisk,
  sealAfter,
  kept,
}: FileBlobsOptions): Promise<Blobs> => {
  const { blobs: folder, temporary } = layout(root);
  const handles = createBlobHandles();
  const pool = createDigestPool();
  const removals = new Map<string, Promise<void>>();

  const removeFile = (sha256: string): Promise<void> => {
    const removal = (async () => {
      await handles.drop(sha256);
      await disk.remove(blobPath(folder, sha256));
      await records.delete('blob', sha256);
    })().finally(() => removals.delete(sha256));
    removals.set(sha256, removal);
    return removal;
  };
  const index = createBlobIndex(limit, removeFile, kept);
  for (const { sha256, size, servedAt, sealed } of await loadBlobs(folder, temporary, records))
    index.add(sha256, size, servedAt, sealed);

  /** What the disk would not keep, or did not, is fetched again. */
  const discard = async (sha256: string): Promise<void> => {
    index.forget(sha256);
    await removeFile(sha256).catch(() => undefined);
  };

  const seal = async (sha256: string): Promise<void> => {
    const blob = index.get(sha256);
    if (blob === undefined) return;
    try {
      await disk.seal(blobPath(folder, sha256));
      for (const path of [folder, ...blobFolders(folder, sha256)]) await disk.syncFolder(path);
    } catch {
      // Evicted meanwhile, it has no file.
      if (index.get(sha256) === blob) await discard(sha256);
    }
  };
  const seals = createSeals(seal, sealAfter);
  const proofs = createProofs(pool);

  const note = (sha256: string, size: number, servedAt: number): Promise<void> =>
    records.put('blob', sha256, { size, servedAt });

  const served = (sha256: string, size: number, before: number): void => {
    const now = Date.now();
    const due = now - before >= SERVED_NOTE_INTERVAL;
    index.touch(sha256, due ? now : before);
    // Only the order of eviction after a restart depends on this: a failure is not worth a request.
    if (due) note(sha256, size, now).catch(() => undefined);
  };

  const open = async (sha256: string): Promise<BlobHandle | undefined> => {
    const blob = index.get(sha256);
    if (blob === undefined) return undefined;
    index.pin(blob);
    const handle = await handles.open(sha256, blob.size, blobPath(folder, sha256), () => index.unpin(blob));
    if (handle !== undefined && !blob.proven) {
      blob.proven = await proofs.check(handle);
      if (blob.proven) seals.later(sha256);
    }
    if (handle !== undefined && blob.proven) {
      served(sha256, blob.size, blob.servedAt);
      return handle;
    }
    // Gone, cut by someone else or never written: it is fetched and weighed again.
    await handle?.close();
    if (handle === undefined) index.forget(sha256);
    else await discard(sha256);
    return undefined;
  };

  const publish = async (path: string, sha256: string, size: number): Promise<void> => {
    await removals.get(sha256);
    const name = blobPath(folder, sha256);
    for (const parent of blobFolders(folder, sha256)) await disk.folder(parent);
    if (await disk.link(path, name)) return;
    const present = index.get(sha256);
    if (present?.proven === true && (await disk.size(name)) === size) return;
    // Someone cut what was there, or nobody has shown that it reached the disk: ours replaces it.
    await handles.drop(sha256);
    await disk.rename(path, name);
    if (present !== undefined) present.proven = true;
  };

  const create = async (size?: number, options: { readonly gitSha1?: boolean } = {}) => {
    await index.reserve(size ?? 0);
    let promised = size ?? 0;
    const path = join(temporary, randomUUID());
    const file = await disk.create(path).catch((error: unknown) => {
      index.release(promised);
      throw diskFault(error, 'making a blob');
    });
    const intake = createIntake(file, pool, size, options.gitSha1 === true ? size : undefined);
    let unpin = (): void => undefined;
    return createBlobWriter(
      intake,
      {
        async reserve(bytes) {
          await index.reserve(bytes);
          promised += bytes;
        },
        async publish(sha256, length) {
          await publish(path, sha256, length);
          index.release(promised);
          promised = 0;
          unpin = addPinned(index, sha256, length);
          seals.later(sha256);
          await note(sha256, length, Date.now()).catch(() => undefined);
        },
        async discard() {
          unpin();
          index.release(promised);
          await file.close();
          await disk.remove(path);
        },
        reopen: open,
      },
      size,
    );
  };

  return {
    has: async (sha256) => index.get(sha256) !== undefined,
    open,
    create,
    async remove(sha256) {
      if (!isSha256(sha256) || index.get(sha256) === undefined) return;
      index.forget(sha256);
      await removeFile(sha256);
    },
    usage: async () => ({ ...index.usage(), limit }),
    async close() {
      await seals.close();
      await handles.close();
      await pool.close();
    },
  };
};

/** Adds a blob that its writer's readers may still be at; returns what lets it be evicted. */
const addPinned = (index: BlobIndex, sha256: string, size: number): (() => void) => {
  const blob = index.add(sha256, size, Date.now(), true);
  index.pin(blob);
  return () => index.unpin(blob);
};
