import { KIB, MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';

/** First four bytes of a manifest, of a node of keys and of a node of versions. */
export const MANIFEST = 0x0cdb3a2a;
export const KEYS = 0x0cdb20de;
export const VERSIONS = 0x0cdb1234;
/** Bytes before the content of a part (magic, length, version, compression), and of the checksum behind it. */
export const HEADER = 14;
export const CHECKSUM = 4;
/** Bytes at the end of a file in which its last node is looked for; more where the file begins as such files do. */
const TAIL = 64 * KIB;
export const LONG_TAIL = 1 * MIB;
/** First bytes of values of arrays: a zstd frame, a blosc chunk, a description. */
const BEGINNINGS: readonly (readonly number[])[] = [
  [0x28, 0xb5, 0x2f, 0xfd],
  [0x02, 0x01],
  [0x7b, 0x22],
];
/** Where a part that begins at `start` would end; undefined when none begins there. */
export const partEnd = (source: RandomAccess, start: number): number | undefined => {
  if (source.size - start < HEADER + CHECKSUM) return undefined;
  const bytes = source.read(start, HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  if (![MANIFEST, KEYS, VERSIONS].includes(view.getUint32(0))) return undefined;
  const length = Number(view.getBigUint64(4, true));
  return length >= HEADER + CHECKSUM && length <= source.size - start ? start + length : undefined;
};

/** True when the file ends with a whole node: what stands before it are values and other nodes. */
export const endsWithNode = (head: Uint8Array, source: RandomAccess): boolean => {
  const typical = BEGINNINGS.some((wanted) => wanted.every((byte, index) => head[index] === byte));
  for (const start of startsIn(source, typical ? LONG_TAIL : TAIL))
    if (partEnd(source, start) === source.size) return true;
  return false;
};

/** Where parts may begin in the last `room` bytes. */
export const startsIn = function* (source: RandomAccess, room: number): Generator<number> {
  const length = Math.min(source.size, room);
  const from = source.size - length;
  const tail = source.read(from, length);
  for (let at = tail.indexOf(0x0c); at >= 0; at = tail.indexOf(0x0c, at + 1))
    if (tail[at + 1] === 0xdb) yield from + at;
};
