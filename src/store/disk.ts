import { constants, type FileHandle, link, lstat, mkdir, open, rename, unlink } from 'node:fs/promises';
import { WeighbridgeError } from '../errors.ts';

/** A file that only its writer knows, until it is linked to its name. */
export type TemporaryFile = {
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `bytes` from `position`; returns how many bytes there were. */
  read(bytes: Uint8Array, position: number): Promise<number>;
  /** Has what was written so far brought to the disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** Every call by which blobs change the disk; tests put failures and kills between them. */
export type Disk = {
  create(path: string): Promise<TemporaryFile>;
  /** Makes a folder; returns whether it was not there. */
  folder(path: string): Promise<boolean>;
  /** Gives a file a second name; returns false when the name is taken. */
  link(path: string, name: string): Promise<boolean>;
  rename(path: string, name: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes what a file holds durable, and then the file read-only, which says so. */
  seal(path: string): Promise<void>;
  /** Makes names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Bytes of a file; undefined when there is none. */
  size(path: string): Promise<number | undefined>;
};

/** The real disk. */
export const disk: Disk = {
  create: async (path) => temporary(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)),
  folder: async (path) => {
    const made = await unless(
      'EEXIST',
      mkdir(path, { mode: 0o700 }).then(() => true),
    );
    return made ?? false;
  },
  link: async (path, name) =>
    (await unless(
      'EEXIST',
      link(path, name).then(() => true),
    )) ?? false,
  rename,
  async remove(path) {
    await unless('ENOENT', unlink(path));
  },
  async seal(path) {
    const file = await open(path, 'r');
    try {
      await file.datasync();
      await file.chmod(0o444);
    } finally {
      await file.close();
    }
  },
  async syncFolder(path) {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  size: async (path) => (await unless('ENOENT', lstat(path)))?.size,
};

/** A temporary file over an open handle. */
export const temporary = (handle: FileHandle): TemporaryFile => ({
  async write(bytes, position) {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  },
  async read(bytes, position) {
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  },
  flush: () => handle.datasync(),
  close: () => handle.close(),
});

/** What a failed call on blobs means: no space is STORE_FULL, everything else STORE_CORRUPT. */
export const diskFault = (error: unknown, what: string): WeighbridgeError => {
  if (error instanceof WeighbridgeError) return error;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new WeighbridgeError('STORE_FULL', `the disk is full: ${what}`, { code }, { cause: error })
    : new WeighbridgeError('STORE_CORRUPT', `${what}: ${message}`, { code }, { cause: error });
};

/** The operating system's name of an error, or nothing. */
export const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** The result of `call`; undefined when it failed with `code`. */
const unless = async <T>(code: string, call: Promise<T>): Promise<T | undefined> => {
  try {
    return await call;
  } catch (error) {
    if (codeOf(error) === code) return undefined;
    throw error;
  }
};
