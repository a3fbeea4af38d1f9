import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { KIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';

/** Bytes hashed at once, 0.15 ms: the thread that hashes also answers the reads of the sandbox. */
const BLOCK = 256 * KIB;

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

/** sha256 of the first `size` bytes, in hex; a block is read while the one before is hashed. */
export const digest = async (file: FileHandle, size: number): Promise<string> => {
  const hash = createHash('sha256');
  const block = (at: number): Promise<Uint8Array> => readExactly(file, at, Math.max(0, Math.min(BLOCK, size - at)));
  let next = block(0);
  for (let at = 0; at < size; at += BLOCK) {
    const bytes = await next;
    next = block(at + BLOCK);
    hash.update(bytes);
  }
  await next;
  return hash.digest('hex');
};
