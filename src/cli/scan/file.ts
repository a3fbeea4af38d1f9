import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { MIB } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Report } from '../../formats/format.ts';
import { factsOfFile } from '../../gateway/local.ts';
import { version } from '../../package.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Target } from './types.ts';

/** Bytes hashed at once. */
const BLOCK = 1 * MIB;

const US = { requester: { id: 'local', team: '' }, client: { name: 'weighbridge', version } };

/** A file of this machine. */
export const localFile = (path: string): Target => ({
  path,
  async weigh(sandbox, begin) {
    const { report, sha256, size } = await inspectFile(sandbox, path, begin);
    return { report, facts: factsOfFile({ path, size, sha256 }, report, US) };
  },
});

type Inspected = { readonly report: Report; readonly sha256: string; readonly size: number };

const inspectFile = async (sandbox: Sandbox, path: string, begin: () => void): Promise<Inspected> => {
  // Without waiting, or a named pipe would hold the scan for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await inspectOpen(sandbox, file, begin);
  } finally {
    await file.close();
  }
};

/** Inspects and hashes a file by one handle, so that both speak of the same bytes. */
export const inspectOpen = async (sandbox: Sandbox, file: FileHandle, begin: () => void): Promise<Inspected> => {
  const before = await file.stat();
  if (!before.isFile()) throw new Error('not a regular file');
  const source = {
    size: before.size,
    read(offset: number, length: number): Promise<Uint8Array> {
      begin();
      return readExactly(file, offset, length);
    },
  };
  const inspecting = sandbox.inspect(source);
  inspecting.catch(() => {});
  const sha256 = await digest(file, before.size);
  const report = await inspecting;
  const after = await file.stat();
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw new Error('it changed while it was read');
  return { report, sha256, size: before.size };
};

const readExactly = async (file: FileHandle, offset: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new WeighbridgeError('FORMAT_TRUNCATED', 'it became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
};

const digest = async (file: FileHandle, size: number): Promise<string> => {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += BLOCK) hash.update(await readExactly(file, at, Math.min(BLOCK, size - at)));
  return hash.digest('hex');
};
