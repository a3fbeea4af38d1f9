import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';

/** Bytes hashed at once. */
const BLOCK = 1 * MIB;

/** Exactly `length` bytes from `offset`. Throws FORMAT_TRUNCATED when the file ends before. */
export const readExactly = async (file: FileHandle, offset: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new WeighbridgeError('FORMAT_TRUNCATED', 'it became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
};

/** sha256 of the first `size` bytes, in hex. */
export const digest = async (file: FileHandle, size: number): Promise<string> => {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += BLOCK) hash.update(await readExactly(file, at, Math.min(BLOCK, size - at)));
  return hash.digest('hex');
};
