import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';

/** Bytes of one read-ahead; a remote source answers each with one Range request. */
export const WINDOW = 256 * 1024;
/** Read-aheads that are kept. */
const KEPT = 6;

/** A source that remembers what was fetched, for directories and members that are read in small pieces. */
export type WindowedSource = RandomAccess & {
  /** Fetches these bytes at once, unless they are already here. */
  fetch(offset: number, length: number): void;
};

/** Wraps `source`: small reads inside a fetched range cost nothing; every other read goes through unchanged. */
export const windowed = (source: RandomAccess): WindowedSource => {
  const kept: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  const find = (offset: number, length: number) =>
    kept.find(({ start, bytes }) => offset >= start && offset + length <= start + bytes.length);
  return {
    size: source.size,
    fetch(offset, length) {
      checkRange(source.size, offset, length);
      if (find(offset, length) !== undefined) return;
      kept.push({ start: offset, bytes: source.read(offset, length).slice() });
      if (kept.length > KEPT) kept.shift();
    },
    read(offset, length) {
      checkRange(source.size, offset, length);
      const window = find(offset, length);
      return window === undefined
        ? source.read(offset, length)
        : window.bytes.subarray(offset - window.start, offset - window.start + length);
    },
  };
};
