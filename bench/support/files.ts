import { createHash, randomFillSync } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

/** Where benches keep what they made or installed; ignored by git. */
export const cacheFolder = (...parts: readonly string[]): string => {
  const folder = resolve(import.meta.dirname, '..', '..', '.cache', 'bench', ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
};

export type Made = { readonly file: string; readonly sha256: string; readonly size: number };

const BLOCK = 1 << 20;

/** A safetensors file with `mib` MiB of weights in `tensors` tensors, made once. */
export const safetensorsFile = (mib: number, tensors = 16): Made =>
  once(`weights-${mib}.safetensors`, (write) => {
    const each = Math.floor((mib * BLOCK) / tensors / 2048) * 2048;
    const fields: Record<string, unknown> = { __metadata__: { format: 'pt' } };
    for (let index = 0; index < tensors; index += 1) {
      fields[`layer.${index}.weight`] = {
        dtype: 'BF16',
        shape: [each / 2048, 1024],
        data_offsets: [index * each, (index + 1) * each],
      };
    }
    let header = JSON.stringify(fields);
    header = header.padEnd(Math.ceil(header.length / 8) * 8);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    write(length);
    write(Buffer.from(header));
    for (let at = 0; at < tensors * each; at += BLOCK) write(block(at).subarray(0, tensors * each - at));
  });

/** Random bytes that differ from block to block, cheaply. */
export const block = (seed: number): Buffer => {
  shared ??= randomFillSync(Buffer.alloc(BLOCK));
  shared.writeBigUInt64LE(BigInt(seed), 0);
  return shared;
};
let shared: Buffer | undefined;

/** Makes a file under its name unless it is there already; its digest is kept beside it. */
export const once = (name: string, make: (write: (bytes: Uint8Array) => void) => void): Made => {
  const file = join(cacheFolder('files'), name);
  if (!existsSync(`${file}.json`)) {
    const hash = createHash('sha256');
    const partial = `${file}.part`;
    const handle = openSync(partial, 'w');
    let size = 0;
    make((bytes) => {
      hash.update(bytes);
      writeSync(handle, bytes);
      size += bytes.length;
    });
    closeSync(handle);
    renameSync(partial, file);
    writeFileSync(`${file}.json`, JSON.stringify({ sha256: hash.digest('hex'), size }));
  }
  const { sha256, size } = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  const bySha256 = join(cacheFolder('files', 'repos'), sha256);
  if (!existsSync(bySha256)) symlinkSync(join('..', name), bySha256);
  return { file, sha256, size };
};
