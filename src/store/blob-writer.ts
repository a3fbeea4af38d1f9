import { WeighbridgeError } from '../errors.ts';
import { claimChunk, type ReadInto } from './blob-stream.ts';
import type { Digests } from './digest.ts';
import { diskFault } from './disk.ts';
import type { Intake } from './intake.ts';
import type { BlobHandle, BlobWriter } from './types.ts';

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

/** A writer over `intake`. `size` is what the blob must have, when known. */
export const createBlobWriter = (intake: Intake, store: WriterStore, size?: number): BlobWriter => {
  const waiters: (() => void)[] = [];
  let waking = false;
  let readers = 0;
  let fault: Error | undefined;
  let digesting: Promise<Digests> | undefined;
  let committing: Promise<{ sha256: string; size: number }> | undefined;
  let published: string | undefined;
  let discarded: Promise<void> | undefined;

  const wakeAll = (): void => {
    for (const wake of waiters.splice(0)) wake();
  };

  /** Later in this turn of the loop, in which more chunks may come: a reader takes them together. */
  const wakeSoon = (): void => {
    if (waking || waiters.length === 0) return;
    waking = true;
    setImmediate(() => {
      waking = false;
      wakeAll();
    });
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
      const room = intake.take(chunk);
      wakeSoon();
      await room;
      // A large chunk is taken in parts: a reader may have come to the end in between.
      wakeSoon();
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
  async function* reading<T>(work: (readInto: ReadInto) => AsyncGenerator<T>): AsyncGenerator<T> {
    if (fault !== undefined) throw fault;
    if (discarded !== undefined && published !== undefined) {
      const handle = await store.reopen(published);
      if (handle === undefined) throw new WeighbridgeError('STORE_CORRUPT', 'a blob was evicted before it was read');
      try {
        return yield* work(async (into, position) => into.set(await handle.read(position, into.length)));
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

  const exactly: ReadInto = async (into, position) => {
    const count = await intake.read(into, position).catch((error: unknown) => {
      throw diskFault(error, 'reading a blob that is being written');
    });
    if (count < into.length) throw short(position + into.length, position + count);
  };

  /** Resolves when there may be more to read, or nothing more to come. */
  const change = (): Promise<void> => new Promise((wake) => waiters.push(wake));

  const follow = (start: number, end?: number): AsyncGenerator<Uint8Array> =>
    reading(async function* (readInto) {
      const chunk = claimChunk((end ?? size ?? Number.POSITIVE_INFINITY) - start);
      let buffer: Buffer | undefined;
      try {
        for (let position = start; end === undefined || position < end; ) {
          if (fault !== undefined) throw fault;
          const ready = Math.min(intake.size, end ?? intake.size) - position;
          // Few readers at a time may hold memory that the writer needs again; the others copy.
          const lent = chunk.wide && ready > 0 ? intake.lend(position) : undefined;
          if (lent !== undefined) {
            try {
              const bytes = lent.bytes.subarray(0, ready);
              position += bytes.length;
              yield bytes;
            } finally {
              lent.release();
            }
          } else if (ready > 0) {
            buffer ??= Buffer.allocUnsafeSlow(chunk.bytes);
            const bytes = buffer.subarray(0, ready);
            await readInto(bytes, position);
            if (fault !== undefined) throw fault;
            position += bytes.length;
            yield bytes;
          } else if (published === undefined) await change();
          else if (end === undefined) return;
          else throw short(end, intake.size);
        }
      } finally {
        chunk.release();
      }
    });

  const readOnce = async (offset: number, length: number): Promise<Uint8Array> => {
    for await (const bytes of reading(async function* (readInto) {
      while (intake.size < offset + length) {
        if (published !== undefined) throw short(offset + length, intake.size);
        await change();
        if (fault !== undefined) throw fault;
      }
      const wanted = Buffer.allocUnsafeSlow(length);
      await readInto(wanted, offset);
      yield wanted;
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
    room: intake.room,
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
