/** Bytes of one slab: large enough that a write costs more than waking the threads for it, small enough that many fit. */
export const SLAB_BYTES = 2 * 1024 * 1024;
/** Slabs kept for the next writer. */
const MAX_IDLE = 16;

/** Shared memory that the disk is written from while another thread hashes it. */
export type Slab = {
  /** Where its first byte stands in the blob. */
  readonly start: number;
  readonly memory: Uint8Array<SharedArrayBuffer>;
  /** Bytes taken. */
  used: number;
  /** Who is at it: the disk and the digest together count as one, each reader as one more. */
  users: number;
};

const idle: Uint8Array<SharedArrayBuffer>[] = [];

/** A slab for the bytes from `start` on; smaller when a blob of known `size` needs no more. */
export const takeSlab = (start: number, size?: number): Slab => {
  const wanted = Math.min(SLAB_BYTES, size === undefined ? SLAB_BYTES : Math.max(1, size - start));
  const memory = wanted === SLAB_BYTES ? idle.pop() : undefined;
  return { start, memory: memory ?? new Uint8Array(new SharedArrayBuffer(wanted)), used: 0, users: 1 };
};

/** One user less; the last one gives the memory back. */
export const leaveSlab = (slab: Slab): void => {
  slab.users -= 1;
  const { memory, users } = slab;
  if (users === 0 && memory.length === SLAB_BYTES && idle.length < MAX_IDLE) idle.push(memory);
};
