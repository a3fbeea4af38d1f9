import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { KIB, MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';

/** Bytes hashed at once, 0.15 ms: the thread that hashes also answers the reads of the sandbox. */
const BLOCK = 256 * KIB;

/** Exactly `length` bytes from `offset`. Throws FORMAT_TRUNCATED when the file ends before. */
export const readExactly = (file: FileHandle, offset: number, length: number): Promise<Uint8Array> =>
  readInto(file, new Uint8Array(length), offset);

/** Reads of a file, of which the last `kept` stay as they are: memory that is new for each costs as much as the reading. */
export const readInTurns = (file: FileHandle, kept: number) => {
  const memory = Array.from({ length: kept + 1 }, () => new Uint8Array(MIB));
  let turn = 0;
  return async (offset: number, length: number): Promise<Uint8Array> => {
    if (length > MIB) return readExactly(file, offset, length);
    turn = (turn + 1) % memory.length;
    return readInto(file, memory[turn]?.subarray(0, length) ?? new Uint8Array(length), offset);
  };
};

const readInto = async (file: FileHandle, bytes: Uint8Array, offset: number): Promise<Uint8Array> => {
  const { length } = bytes;
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
