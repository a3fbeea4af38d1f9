import { WeighbridgeError } from '../errors.ts';

/** A blob as the index knows it. While `pins` is not zero it is not evicted. */
export type IndexedBlob = {
  readonly size: number;
  servedAt: number;
  pins: number;
  forgotten: boolean;
  /** False for bytes of an earlier run that may not have reached the disk: they are hashed before they are served. */
  proven: boolean;
};

/**
 * Which blobs are there, how large, and in what order they were served: in memory, in step with the folder. Everything
 * here but the removal of files is synchronous, so that no two requests evict or promise the same space.
 */
export type BlobIndex = {
  get(sha256: string): IndexedBlob | undefined;
  /** Adds a blob as the one served last; keeps the pins of one that is there. */
  add(sha256: string, size: number, servedAt: number, proven: boolean): IndexedBlob;
  /** Marks a blob as the one served last. */
  touch(sha256: string, servedAt: number): void;
  pin(blob: IndexedBlob): void;
  unpin(blob: IndexedBlob): void;
  /** Forgets a blob; the caller removes the file. */
  forget(sha256: string): void;
  /** Promises `bytes` to a writer, after removing what was served longest ago. Throws STORE_FULL when that cannot do. */
  reserve(bytes: number): Promise<void>;
  release(bytes: number): void;
  /** Bytes of blobs and promised bytes; how many blobs. */
  usage(): { readonly bytes: number; readonly blobs: number };
};

/** An empty index that allows `limit` bytes; `remove` deletes the file of an evicted blob, of which none is `kept`. */
export const createBlobIndex = (
  limit: number,
  remove: (sha256: string) => Promise<void>,
  kept: (sha256: string) => boolean = () => false,
): BlobIndex => {
  // A Map goes through its keys as they were inserted: served longest ago first.
  const blobs = new Map<string, IndexedBlob>();
  let [bytes, pinned, promised] = [0, 0, 0];

  const forget = (sha256: string): void => {
    const blob = blobs.get(sha256);
    if (blob === undefined) return;
    blobs.delete(sha256);
    blob.forgotten = true;
    bytes -= blob.size;
    if (blob.pins > 0) pinned -= blob.size;
  };

  const victims = (excess: number): string[] => {
    const chosen: string[] = [];
    let freed = 0;
    for (const [sha256, blob] of blobs) {
      if (freed >= excess) break;
      if (blob.pins > 0 || kept(sha256)) continue;
      chosen.push(sha256);
      freed += blob.size;
    }
    return chosen;
  };

  return {
    get: (sha256) => blobs.get(sha256),
    add(sha256, size, servedAt, proven) {
      const present = blobs.get(sha256);
      if (present !== undefined) return present;
      const blob = { size, servedAt, pins: 0, forgotten: false, proven };
      blobs.set(sha256, blob);
      bytes += size;
      return blob;
    },
    touch(sha256, servedAt) {
      const blob = blobs.get(sha256);
      if (blob === undefined) return;
      blob.servedAt = servedAt;
      blobs.delete(sha256);
      blobs.set(sha256, blob);
    },
    pin(blob) {
      blob.pins += 1;
      if (blob.pins === 1 && !blob.forgotten) pinned += blob.size;
    },
    unpin(blob) {
      blob.pins -= 1;
      if (blob.pins === 0 && !blob.forgotten) pinned -= blob.size;
    },
    forget,
    async reserve(wanted) {
      if (pinned + promised + wanted > limit) {
        throw new WeighbridgeError('STORE_FULL', `${wanted} bytes do not fit: the store may hold ${limit} bytes`, {
          wanted,
          limit,
          inUse: pinned + promised,
        });
      }
      const excess = bytes + promised + wanted - limit;
      const gone = victims(excess);
      const freed = gone.reduce((sum, sha256) => sum + (blobs.get(sha256)?.size ?? 0), 0);
      if (freed < excess) {
        throw new WeighbridgeError('STORE_FULL', `${wanted} bytes do not fit beside what has to be kept`, {
          wanted,
          limit,
        });
      }
      for (const sha256 of gone) forget(sha256);
      promised += wanted;
      for (const sha256 of gone) await remove(sha256);
    },
    release(amount) {
      promised -= amount;
    },
    usage: () => ({ bytes: bytes + promised, blobs: blobs.size }),
  };
};
