import { exceeded, KIB, MIB } from '../../bytes/limits.ts';
import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';

/** What the isolate sees of the outside: exactly `length` bytes from `offset`, at most 1 MiB. */
export type ReadRange = (offset: number, length: number) => Uint8Array;

/** Bytes fetched at once for small reads: a read over the pipes costs 150 to 350 µs whatever its length up to here. */
const WINDOW = 256 * KIB;
/** Windows kept: a container's directory, the member being read and what it points to stay at hand. */
const WINDOWS = 8;
/** Bytes of one read over the pipes. */
const PIECE = 1 * MIB;
/** Bytes that a parser may ask for in one read; it would have to hold them all. */
const ONE_READ = 128 * MIB;

type Window = { readonly start: number; readonly bytes: Uint8Array };

/** The file as parsers see it, over the one function from outside: small reads are served from a few windows. */
export const overRanges = (size: number, read: ReadRange): RandomAccess => {
  const windows: Window[] = [];
  const find = (offset: number, length: number): Window | undefined => {
    const at = windows.findIndex(({ start, bytes }) => offset >= start && offset + length <= start + bytes.length);
    const found = windows[at];
    if (found !== undefined && at > 0) windows.unshift(...windows.splice(at, 1));
    return found;
  };
  const fetch = (offset: number): Window => {
    // Near the end the window reaches back, so that a directory and the records behind it come in one read.
    const start = Math.max(0, Math.min(offset, size - WINDOW));
    const window = { start, bytes: read(start, Math.min(WINDOW, size - start)) };
    windows.unshift(window);
    windows.length = Math.min(windows.length, WINDOWS);
    return window;
  };
  const large = (offset: number, length: number): Uint8Array => {
    if (length > ONE_READ) exceeded('one read', ONE_READ);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += PIECE) bytes.set(read(offset + at, Math.min(PIECE, length - at)), at);
    return bytes;
  };
  return {
    size,
    read(offset, length) {
      checkRange(size, offset, length);
      if (length === 0) return new Uint8Array(0);
      if (length > WINDOW) return large(offset, length);
      const { start, bytes } = find(offset, length) ?? fetch(offset);
      return bytes.subarray(offset - start, offset - start + length);
    },
    sample(offset, length) {
      checkRange(size, offset, length);
      const near = length > WINDOW || length === 0 ? undefined : find(offset, length);
      if (near !== undefined) return near.bytes.subarray(offset - near.start, offset - near.start + length);
      return length > PIECE || length === 0 ? this.read(offset, length) : read(offset, length);
    },
  };
};
