import { close, fstat, open, read } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { WeighbridgeError } from '../errors.ts';
import { streamOf } from './blob-stream.ts';
import { codeOf, diskFault } from './disk.ts';
import type { BlobHandle } from './types.ts';

/** Files kept open for the next request, when nobody reads them. */
const MAX_IDLE = 256;
/** Bytes up to which a file is kept in memory while it is open: to have another thread read them costs more than all the rest. */
const SMALL = 32 * 1024;

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);

type OpenFile = { readonly descriptor: number; readonly size: number; readonly small?: Uint8Array; readers: number };

/** Open files of blobs, shared between their readers: a popular blob is opened once. */
export type BlobHandles = {
  /** `onClose` is called once, when the handle is closed. Undefined when there is no such file of that size. */
  open(sha256: string, size: number, path: string, onClose: () => void): Promise<BlobHandle | undefined>;
  /** Lets go of an idle file, so that its space is freed when it is removed. */
  drop(sha256: string): Promise<void>;
  close(): Promise<void>;
};

export const createBlobHandles = (): BlobHandles => {
  // In the order of use, like the blobs themselves.
  const files = new Map<string, Promise<OpenFile>>();
  const idle = new Map<string, OpenFile>();

  const opened = async (path: string): Promise<OpenFile> => {
    const descriptor = await openFile(path, 'r');
    const { size } = await statFile(descriptor);
    if (size > SMALL) return { descriptor, size, readers: 0 };
    const small = new Uint8Array(size);
    await fill(descriptor, basename(path), small, 0);
    return { descriptor, size, small, readers: 0 };
  };

  const drop = async (sha256: string): Promise<void> => {
    const file = idle.get(sha256);
    files.delete(sha256);
    idle.delete(sha256);
    if (file !== undefined) await closeFile(file.descriptor);
  };

  const leave = async (sha256: string, entry: Promise<OpenFile>, file: OpenFile): Promise<void> => {
    file.readers -= 1;
    if (file.readers > 0) return;
    // Dropped while it was read: this reader was the last to know it.
    if (files.get(sha256) !== entry) return closeFile(file.descriptor);
    idle.set(sha256, file);
    const [oldest] = idle.keys();
    if (idle.size > MAX_IDLE && oldest !== undefined) await drop(oldest);
  };

  return {
    async open(sha256, size, path, onClose) {
      const entry = files.get(sha256) ?? opened(path);
      files.set(sha256, entry);
      try {
        const file = await entry;
        file.readers += 1;
        idle.delete(sha256);
        const handle = handleOf(file, sha256, async () => {
          onClose();
          await leave(sha256, entry, file);
        });
        if (file.size === size) return handle;
        files.delete(sha256);
        await handle.close();
        return undefined;
      } catch (error) {
        files.delete(sha256);
        onClose();
        if (codeOf(error) === 'ENOENT') return undefined;
        throw diskFault(error, 'opening a blob');
      }
    },
    drop,
    async close() {
      for (const sha256 of [...idle.keys()]) await drop(sha256);
    },
  };
};

const handleOf = ({ descriptor, size, small }: OpenFile, sha256: string, onClose: () => Promise<void>): BlobHandle => {
  let closed: Promise<void> | undefined;
  let reading = 0;
  let idle = Promise.withResolvers<void>();
  const readInto = async (into: Uint8Array, position: number): Promise<void> => {
    if (closed !== undefined) throw new WeighbridgeError('CANCELLED', 'a blob was read after it was closed');
    if (position + into.length > size) throw short(sha256, size, position + into.length);
    if (small !== undefined) {
      into.set(small.subarray(position, position + into.length));
      return;
    }
    reading += 1;
    try {
      await fill(descriptor, sha256, into, position);
    } finally {
      reading -= 1;
      idle.resolve();
      idle = Promise.withResolvers();
    }
  };
  return {
    sha256,
    size,
    async read(offset, length) {
      if (offset + length > size) throw short(sha256, size, offset + length);
      const bytes = Buffer.allocUnsafeSlow(length);
      await readInto(bytes, offset);
      return bytes;
    },
    async *stream(start, end) {
      if (end > size) throw short(sha256, size, end);
      if (small !== undefined) yield small.subarray(start, end);
      else yield* streamOf(readInto, start, end);
    },
    close() {
      closed ??= (async () => {
        // The number of a file that is closed too early could by then belong to another file.
        while (reading > 0) await idle.promise;
        await onClose();
      })();
      return closed;
    },
  };
};

const fill = async (file: number, sha256: string, into: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < into.length; ) {
    const count = await readSome(file, into, done, position + done);
    if (count === 0) throw short(sha256, position + done, position + into.length);
    done += count;
  }
};

const readSome = (file: number, into: Uint8Array, from: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    read(file, into, from, into.length - from, position, (error, count) =>
      error === null ? resolve(count) : reject(diskFault(error, 'reading a blob')),
    );
  });

const short = (sha256: string, size: number, wanted: number): WeighbridgeError =>
  new WeighbridgeError('STORE_CORRUPT', `blob ${sha256} ends at ${size}, ${wanted} was asked for`, { size, wanted });
