import { WeighbridgeError } from '../errors.ts';
import type { Digests } from './digest.ts';
import { diskFault } from './disk.ts';
import type { Intake } from './intake.ts';
import type { BlobHandle, BlobWriter } from './types.ts';

/** Bytes that a reader who is behind is given at a time. */
const READ_BYTES = 256 * 1024;

/** What a writer needs of the store around it. */
export type WriterStore = {
  /** Promises more space; throws STORE_FULL. */
  reserve(bytes: number): Promise<void>;
  /** Makes the finished file a blob. */
  publish(sha256: string, size: number): Promise<void>;
  /** Removes the temporary file and the promises made for it. Called once, when nobody uses the file any more. */
  discard(published: boolean): Promise<void>;
  /** Opens a published blob for readers who came after the temporary file was closed. */
  reopen(sha256: string): Promise<BlobHandle | undefined>;
};

type Waiter = { readonly position: number; readonly wake: (chunk?: Uint8Array) => void };

/** A writer over `intake`. `size` is what the blob must have, when known. */
export const createBlobWriter = (intake: Intake, store: WriterStore, size?: number): BlobWriter => {
  const waiters: Waiter[] = [];
  let readers = 0;
  let fault: Error | undefined;
  let digesting: Promise<Digests> | undefined;
  let committing: Promise<{ sha256: string; size: number }> | undefined;
  let published: string | undefined;
  let discarded: Promise<void> | undefined;

  const wakeAll = (): void => {
    for (const { wake } of waiters.splice(0)) wake();
  };

  /** Closes the temporary file once it is neither written nor read. */
  const discardWhenIdle = async (): Promise<void> => {
    if (readers > 0 || (fault === undefined && published === undefined)) return;
    discarded ??= store.discard(published !== undefined);
    await discarded;
  };

  const abort = async (cause: Error): Promise<void> => {
    if (published !== undefined || committing !== undefined || fault !== undefined) return;
    fault = cause;
    wakeAll();
    await intake.settle();
    await discardWhenIdle();
  };

  const failing = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    if (fault !== undefined) throw fault;
    try {
      return await work();
    } catch (error) {
      const cause = diskFault(error, what);
      committing = undefined;
      await abort(cause);
      throw cause;
    }
  };

  const write = async (chunk: Uint8Array): Promise<void> => {
    if (fault === undefined && digesting !== undefined)
      throw misuse('a blob was written to after its digests were asked for');
    if (chunk.length === 0) return;
    await failing('writing a blob', async () => {
      if (size === undefined) await store.reserve(chunk.length);
      else if (intake.size + chunk.length > size) throw misuse(`a blob of ${size} bytes was given more`);
      const before = intake.size;
      const room = intake.take(chunk);
      // Readers at the end get the chunk as it is; the others look again.
      for (const { position, wake } of waiters.splice(0)) wake(position === before ? chunk : undefined);
      await room;
      // A large chunk is taken in parts: a reader may have come to the end in between.
      wakeAll();
    });
  };

  const digests = (): Promise<Digests> => {
    digesting ??= failing('writing a blob', () => intake.finish());
    return digesting;
  };

  const publish = (): Promise<{ sha256: string; size: number }> =>
    failing('committing a blob', async () => {
      const { sha256 } = await digests();
      if (fault !== undefined) throw fault;
      if (size !== undefined && intake.size !== size) throw misuse(`a blob of ${size} bytes ended at ${intake.size}`);
      await store.publish(sha256, intake.size);
      published = sha256;
      wakeAll();
      await discardWhenIdle();
      return { sha256, size: intake.size };
    });

  /** Runs `work` with something that can be read: the temporary file, or the blob when that has been closed. */
  async function* reading<T>(work: (read: BlobHandle['read']) => AsyncGenerator<T>): AsyncGenerator<T> {
    if (fault !== undefined) throw fault;
    if (discarded !== undefined && published !== undefined) {
      const handle = await store.reopen(published);
      if (handle === undefined) throw new WeighbridgeError('STORE_CORRUPT', 'a blob was evicted before it was read');
      try {
        return yield* work(handle.read);
      } finally {
        await handle.close();
      }
    }
    readers += 1;
    try {
      yield* work(exactly);
    } finally {
      readers -= 1;
      await discardWhenIdle();
    }
  }

  const exactly = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = Buffer.allocUnsafeSlow(length);
    const count = await intake.read(bytes, offset).catch((error: unknown) => {
      throw diskFault(error, 'reading a blob that is being written');
    });
    if (count < length) throw short(offset + length, offset + count);
    return bytes;
  };

  /** Resolves with the chunk that begins at `position` when it comes, or with nothing when something else changed. */
  const change = (position: number): Promise<Uint8Array | undefined> =>
    new Promise((wake) => waiters.push({ position, wake }));

  const follow = (start: number, end?: number): AsyncGenerator<Uint8Array> =>
    reading(async function* (read) {
      let position = start;
      while (end === undefined || position < end) {
        if (fault !== undefined) throw fault;
        const ready = Math.min(intake.size, end ?? intake.size) - position;
        let chunk: Uint8Array | undefined;
        if (ready > 0) chunk = await read(position, Math.min(ready, READ_BYTES));
        else if (published === undefined) chunk = await change(position);
        else if (end === undefined) return;
        else throw short(end, intake.size);
        if (chunk === undefined) continue;
        if (fault !== undefined) throw fault;
        const wanted = end === undefined ? chunk : chunk.subarray(0, end - position);
        position += wanted.length;
        yield wanted;
      }
    });

  const readOnce = async (offset: number, length: number): Promise<Uint8Array> => {
    for await (const bytes of reading(async function* (read) {
      while (intake.size < offset + length) {
        if (published !== undefined) throw short(offset + length, intake.size);
        await change(-1);
        if (fault !== undefined) throw fault;
      }
      yield await read(offset, length);
    })) {
      return bytes;
    }
    throw short(offset + length, intake.size);
  };

  return {
    get size() {
      return intake.size;
    },
    write,
    read: readOnce,
    follow,
    digests,
    commit() {
      committing ??= publish();
      return committing;
    },
    abort,
  };
};

const misuse = (message: string): WeighbridgeError => new WeighbridgeError('STORE_CORRUPT', message);

const short = (wanted: number, got: number): WeighbridgeError =>
  new WeighbridgeError('STORE_CORRUPT', `a blob ends at ${got}, ${wanted} was asked for`, { wanted, got });
