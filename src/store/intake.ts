import { createDigest, type Digests } from './digest.ts';
import type { DigestPool, RunningDigest } from './digests.ts';
import type { TemporaryFile } from './disk.ts';
import { leaveSlab, SLAB_BYTES, type Slab, takeSlab } from './slabs.ts';

/** Slabs of one writer that the disk or the digest is busy with; then `take` waits. */
const MAX_BUSY = 3;
/** Bytes that go to the disk at once: more keep small writes of others waiting, fewer cost more of its time. */
const FLUSH_BYTES = 16 * 1024 * 1024;
/** Bytes written and not on the disk, beyond which a writer waits: a disk that is slower than upstream sets the pace. */
const MAX_UNFLUSHED = 64 * 1024 * 1024;

/**
 * The way of a blob's bytes to the disk and through the digests, both at once. What is not on the disk yet is read
 * from memory.
 */
export type Intake = {
  /** Bytes taken. */
  readonly size: number;
  /**
   * Memory for the bytes that come `ahead` bytes after those taken: whoever reads into it, and then gives just these bytes
   * to `take`, saves the copy. Never empty; nothing else happens to it before.
   */
  room(ahead: number): Uint8Array;
  /** Copies `chunk`, unless it lies where it belongs; resolves when there is room for more. Rejects with what the disk said, also of earlier chunks. */
  take(chunk: Uint8Array): Promise<void>;
  /** Fills `into` from `position`; these bytes must have been taken. Returns how many there were. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** The bytes from `position` on that lie together in memory, if any do; they stay there until `release`. */
  lend(position: number): Lent | undefined;
  /** Writes and hashes the rest. */
  finish(): Promise<Digests>;
  /** Resolves when nothing is under way any more; no fault comes out of here. */
  settle(): Promise<void>;
};

/** Bytes in the memory of an intake. */
export type Lent = { readonly bytes: Uint8Array; release(): void };

/** An intake into `file`. `size` is the blob's, when known; `gitSize` is set when the git digest is wanted. */
export const createIntake = (
  file: TemporaryFile,
  pool: DigestPool,
  size: number | undefined,
  gitSize: number | undefined,
): Intake => {
  const busy = new Map<Slab, Promise<void>>();
  let [filling, following]: [Slab | undefined, Slab | undefined] = [undefined, undefined];
  let [taken, digest]: [number, RunningDigest | undefined] = [0, undefined];
  let failure: unknown;
  let writing: Promise<void> = Promise.resolve();
  let flushing: Promise<void> | undefined;
  let [written, flushed] = [0, 0];

  /** One at a time: threads that write to one file wait for each other inside the system, and burn their cores there. */
  const write = (bytes: Uint8Array, position: number): Promise<void> => {
    writing = writing.then(async () => {
      if (written - flushed >= MAX_UNFLUSHED) await flushing;
      await file.write(bytes, position);
      written += bytes.length;
      flushSome();
    });
    return writing;
  };

  /** Beside the writing, so that what is not on the disk stays little: the log's small writes wait behind it. */
  const flushSome = (): void => {
    if (flushing !== undefined || written - flushed < FLUSH_BYTES) return;
    const upTo = written;
    flushing = file.flush().then(
      () => {
        flushed = upTo;
        flushing = undefined;
        flushSome();
      },
      (error) => {
        failure ??= error;
      },
    );
  };

  const send = (slab: Slab): void => {
    const bytes = slab.memory.subarray(0, slab.used);
    digest ??= pool.start(gitSize);
    const both = Promise.all([write(bytes, slab.start), digest.update(bytes)]);
    const done = both.then(
      () => {
        busy.delete(slab);
        leaveSlab(slab);
      },
      (error) => {
        // The slab is not given back: the other of the two may still be at it.
        failure ??= error;
        busy.delete(slab);
      },
    );
    busy.set(slab, done);
  };

  const check = (): void => {
    if (failure !== undefined) throw failure;
  };

  const current = (): Slab => {
    filling ??= takeSlab(taken, size);
    return filling;
  };

  const room = (ahead: number): Uint8Array => {
    const slab = current();
    const next = slab.used + ahead;
    if (next < slab.memory.length) return slab.memory.subarray(next);
    // Of a blob that ends with this slab nothing more is expected: what comes nevertheless is refused when it is taken.
    following ??= takeSlab(slab.start + slab.memory.length);
    return following.memory.subarray(next - slab.memory.length);
  };

  const copy = (chunk: Uint8Array): void => {
    for (let done = 0; done < chunk.length; ) {
      const slab = current();
      const part = chunk.subarray(done, done + slab.memory.length - slab.used);
      if (!liesAt(part, slab)) slab.memory.set(part, slab.used);
      slab.used += part.length;
      taken += part.length;
      done += part.length;
      if (slab.used < slab.memory.length) continue;
      // The last slab of a small blob is kept back: it is hashed here when it is the only one.
      if (digest === undefined && taken === size) continue;
      send(slab);
      [filling, following] = [following, undefined];
    }
  };

  /** A blob that fits one slab is hashed here: that costs less than asking another thread. */
  const finish = async (): Promise<Digests> => {
    check();
    const last = filling;
    if (digest === undefined) {
      const bytes = last?.memory.subarray(0, last.used) ?? new Uint8Array(0);
      const whole = createDigest(gitSize);
      whole.update(bytes);
      await file.write(bytes, 0);
      filling = undefined;
      if (last !== undefined) leaveSlab(last);
      return whole.finish();
    }
    if (last !== undefined) send(last);
    if (following !== undefined) leaveSlab(following);
    [filling, following] = [undefined, undefined];
    await Promise.all(busy.values());
    check();
    return digest.finish();
  };

  return {
    get size() {
      return taken;
    },
    async take(chunk) {
      check();
      // A chunk may be larger than all slabs together; it is taken in parts, so that memory stays bounded.
      for (let start = 0; start < chunk.length; start += SLAB_BYTES) {
        copy(chunk.subarray(start, start + SLAB_BYTES));
        while (busy.size >= MAX_BUSY) await Promise.race(busy.values());
        check();
      }
    },
    async read(into, position) {
      const pieces = [...busy.keys(), ...(filling === undefined ? [] : [filling])];
      const end = Math.min(position + into.length, taken);
      // What is in memory is copied before anything is awaited: a slab may be given back meanwhile.
      for (const { start, memory, used } of pieces) {
        if (start >= end || start + used <= position) continue;
        const from = Math.max(start, position);
        into.set(memory.subarray(from - start, Math.min(used, end - start)), from - position);
      }
      for (const { start, stop } of gaps(position, end, pieces)) {
        const count = await file.read(into.subarray(start - position, stop - position), start);
        if (count === stop - start) continue;
        // What the disk did not take is not in memory any more either: its fault is why.
        check();
        return start - position + count;
      }
      return Math.max(0, end - position);
    },
    lend(position) {
      for (const slab of [...busy.keys(), ...(filling === undefined ? [] : [filling])]) {
        if (position < slab.start || position >= slab.start + slab.used) continue;
        slab.users += 1;
        return { bytes: slab.memory.subarray(position - slab.start, slab.used), release: () => leaveSlab(slab) };
      }
      return undefined;
    },
    room,
    finish,
    async settle() {
      await Promise.allSettled([...busy.values(), flushing]);
      digest?.drop();
      filling = undefined;
    },
  };
};

/** True when these bytes were read into the place where `slab` is filled next. */
const liesAt = (bytes: Uint8Array, { memory, used }: Slab): boolean =>
  bytes.buffer === memory.buffer && bytes.byteOffset === memory.byteOffset + used;

/** The parts of `position` to `end` that no slab holds. */
const gaps = (position: number, end: number, slabs: readonly Slab[]): { start: number; stop: number }[] => {
  const found: { start: number; stop: number }[] = [];
  let start = position;
  for (const slab of slabs.toSorted((a, b) => a.start - b.start)) {
    const stop = slab.start + slab.used;
    if (slab.start >= end || stop <= start) continue;
    if (slab.start > start) found.push({ start, stop: slab.start });
    start = Math.max(start, stop);
  }
  if (start < end) found.push({ start, stop: end });
  return found;
};
