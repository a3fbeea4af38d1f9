import type { DigestPool } from './digests.ts';
import type { BlobHandle } from './types.ts';

/** Bytes read and hashed at a time. */
const STEP = 1024 * 1024;

/** Blobs whose bytes are held against their name. */
export type Proofs = {
  /** True when the bytes have the digest that they lie under. Whoever asks at the same time shares one reading. */
  check(blob: BlobHandle): Promise<boolean>;
};

/** Proofs by `pool`, away from the thread that serves. */
export const createProofs = (pool: DigestPool): Proofs => {
  const running = new Map<string, Promise<boolean>>();

  const check = async (blob: BlobHandle): Promise<boolean> => {
    const digest = pool.start();
    const memory = new Uint8Array(new SharedArrayBuffer(STEP));
    try {
      for await (const chunk of blob.stream(0, blob.size)) {
        for (let at = 0; at < chunk.length; at += STEP) {
          const part = chunk.subarray(at, at + STEP);
          memory.set(part);
          await digest.update(memory.subarray(0, part.length));
        }
      }
      return (await digest.finish()).sha256 === blob.sha256;
    } catch {
      digest.drop();
      return false;
    }
  };

  return {
    check(blob) {
      const proof = running.get(blob.sha256) ?? check(blob).finally(() => running.delete(blob.sha256));
      running.set(blob.sha256, proof);
      return proof;
    },
  };
};
