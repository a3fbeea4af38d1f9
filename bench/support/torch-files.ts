import { crc32 } from 'node:zlib';
import { pickled } from '../../test/support/pickle-assembler.ts';
import { dict, type Storage, tensor } from '../../test/support/torch-writer.ts';
import { block, type Made, once } from './files.ts';

const BLOCK = 1 << 20;
const ELEMENT = 4;

/** What a checkpoint is made of, beside its weights: where the reader has to look. */
export type TorchFile = Made & { readonly directoryBytes: number; readonly pickleBytes: number };

/**
 * A checkpoint of `mib` MiB as torch.save writes it, of float32 tensors in `members` records, made once and written as it
 * grows. Weights are random bytes.
 */
export const torchFile = (mib: number, members = 32): TorchFile => {
  const each = Math.floor((mib * BLOCK) / members / 1024) * 1024;
  const storages = Array.from(
    { length: members },
    (_, index): Storage => ({
      key: String(index),
      type: 'FloatStorage',
      elements: each / ELEMENT,
      bytes: new Uint8Array(0),
    }),
  );
  const shape = [each / ELEMENT / 64, 64];
  const entries = storages.map((storage, index) => [`layer.${index}.weight`, tensor({ storage, shape })] as const);
  const pickle = pickled(2, dict(entries));
  const names = ['data.pkl', 'byteorder', ...storages.map(({ key }) => `data/${key}`), 'version'];
  const directoryBytes = names.reduce((sum, name) => sum + 46 + 'archive/'.length + name.length, 0);
  const made = once(`torch-${mib}-${members}.bin`, (write) => {
    const zip = zipWriter(write);
    zip.add('archive/data.pkl', [pickle]);
    zip.add('archive/byteorder', [Buffer.from('little')]);
    for (const [index, { key }] of storages.entries()) zip.add(`archive/data/${key}`, weights(index, each));
    zip.add('archive/version', [Buffer.from('3\n')]);
    zip.end();
  });
  return { ...made, directoryBytes, pickleBytes: pickle.length };
};

function* weights(index: number, bytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes; at += BLOCK) yield block(index * bytes + at).subarray(0, Math.min(BLOCK, bytes - at));
}

/** Writes stored members one after the other, aligned and with descriptors, as torch does, past 4 GiB too. */
const zipWriter = (write: (bytes: Uint8Array) => void) => {
  const directory: Buffer[] = [];
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    write(bytes);
    at += bytes.length;
  };
  return {
    add(name: string, data: Iterable<Uint8Array>): void {
      const start = at;
      const padding = (64 - ((at + 30 + name.length + 4) % 64)) % 64;
      put(
        numbers(
          [4, 0x04034b50],
          [2, 20],
          [2, 8],
          [2, 0],
          [2, 0],
          [2, 0x21],
          [4, 0],
          [4, 0],
          [4, 0],
          [2, name.length],
          [2, 4 + padding],
        ),
      );
      put(Buffer.concat([Buffer.from(`${name}FB`), numbers([2, padding]), Buffer.alloc(padding, 'Z')]));
      let [checksum, size] = [0, 0];
      for (const bytes of data) {
        checksum = crc32(bytes, checksum);
        size += bytes.length;
        put(bytes);
      }
      put(numbers([4, 0x08074b50], [4, checksum], [4, size], [4, size]));
      // Only an offset that does not fit 32 bits stands in a field of its own: miniz refuses it elsewhere.
      const far = start >= 0xffffffff ? numbers([2, 1], [2, 8], [8, start]) : Buffer.alloc(0);
      directory.push(
        numbers(
          [4, 0x02014b50],
          [2, 45],
          [2, 45],
          [2, 8],
          [2, 0],
          [2, 0],
          [2, 0x21],
          [4, checksum],
          [4, size],
          [4, size],
        ),
        numbers([2, name.length], [2, far.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, Math.min(start, 0xffffffff)]),
        Buffer.concat([Buffer.from(name), far]),
      );
    },
    end(): void {
      const start = at;
      put(Buffer.concat(directory));
      const [size, count, place] = [at - start, directory.length / 3, at];
      put(
        numbers(
          [4, 0x06064b50],
          [8, 44],
          [2, 45],
          [2, 45],
          [4, 0],
          [4, 0],
          [8, count],
          [8, count],
          [8, size],
          [8, start],
        ),
      );
      put(numbers([4, 0x07064b50], [4, 0], [8, place], [4, 1]));
      put(numbers([4, 0x06054b50], [2, 0], [2, 0], [2, 0xffff], [2, 0xffff], [4, 0xffffffff], [4, 0xffffffff], [2, 0]));
    },
  };
};

/** Little-endian numbers: [bytes, value] pairs. */
const numbers = (...fields: readonly (readonly [2 | 4 | 8, number])[]): Buffer => {
  const out = Buffer.alloc(fields.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) out.writeUInt16LE(value, at);
    else if (width === 4) out.writeUInt32LE(value, at);
    else out.writeBigUInt64LE(BigInt(value), at);
    at += width;
  }
  return out;
};
