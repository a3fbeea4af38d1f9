import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

/**
 * Writes beside the target and renames, so that a half-written file never has the final name, nor one that `check`
 * rejects. Like any program that copies files it leaves it to the system when they reach the disk. Resolves with the sha256.
 */
export const writeWhole = async (
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  check: (written: FileHandle) => Promise<void> = async () => undefined,
): Promise<string> => {
  const temporary = `${path}.part-${process.pid}`;
  const hash = createHash('sha256');
  const file = await open(temporary, 'w+');
  try {
    for await (const chunk of chunks) {
      const writing = writeAll(file, chunk);
      hash.update(chunk);
      await writing;
    }
    await check(file);
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
  return hash.digest('hex');
};

/** Writes the bytes behind those written before. */
export const writeAll = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
};
