/** Bytes of one slab: large enough that a write costs more than its call, small enough that many writers fit. */
export const SLAB_BYTES = 1024 * 1024;
/** Slabs kept for the next writer. */
const MAX_IDLE = 32;

/** Shared memory that the disk is written from while another thread hashes it. */
export type Slab = { readonly start: number; readonly memory: Uint8Array<SharedArrayBuffer>; used: number };

const idle: Uint8Array<SharedArrayBuffer>[] = [];

/** A slab for the bytes from `start` on; smaller when a blob of known `size` needs no more. */
export const takeSlab = (start: number, size?: number): Slab => {
  const wanted = Math.min(SLAB_BYTES, size === undefined ? SLAB_BYTES : Math.max(1, size - start));
  const memory = wanted === SLAB_BYTES ? idle.pop() : undefined;
  return { start, memory: memory ?? new Uint8Array(new SharedArrayBuffer(wanted)), used: 0 };
};

/** Gives a slab back; nobody may read it afterwards. */
export const giveSlab = ({ memory }: Slab): void => {
  if (memory.length === SLAB_BYTES && idle.length < MAX_IDLE) idle.push(memory);
};
