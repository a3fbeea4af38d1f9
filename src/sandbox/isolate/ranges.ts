import { exceeded, KIB, MIB } from '../../bytes/limits.ts';
import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';

/** What the isolate sees of the outside: exactly `length` bytes from `offset`, at most 1 MiB. */
export type ReadRange = (offset: number, length: number) => Uint8Array;

/**
 * Bytes fetched at once for small reads. Where a parser jumps to it mostly wants a header: a read over the pipes costs
 * some 100 µs up to 64 KiB and 300 µs at 256 KiB. Where it reads on, each fetch is twice the one before.
 */
const FIRST = 16 * KIB;
/** The most of it, and what is fetched at once of a remote file, where each read is a request. */
const WINDOW = 256 * KIB;
/** Bytes that may be left out for it to count as reading on: as many cost no more to read than another read. */
const GAP = 64 * KIB;
/** Windows kept: a container's directory, the member being read and what it points to stay at hand. */
const WINDOWS = 8;
/** Bytes of one read over the pipes. */
const PIECE = 1 * MIB;
/** Bytes that a parser may ask for in one read; it would have to hold them all. */
const ONE_READ = 128 * MIB;

type Window = { readonly start: number; readonly bytes: Uint8Array };

/** The file as parsers see it, over the one function from outside: small reads are served from a few windows. */
export const overRanges = (size: number, read: ReadRange, remote = false): RandomAccess => {
  const windows: Window[] = [];
  const find = (offset: number, length: number): Window | undefined => {
    const at = windows.findIndex(({ start, bytes }) => offset >= start && offset + length <= start + bytes.length);
    const found = windows[at];
    if (found !== undefined && at > 0) windows.unshift(...windows.splice(at, 1));
    return found;
  };
  /** What to fetch for a read at `offset`: all of a small file, and more after what was fetched before. */
  const amount = (offset: number): number => {
    if (remote || size <= WINDOW) return WINDOW;
    const before = windows.find(({ start, bytes }) => offset >= start && offset <= start + bytes.length + GAP);
    return before === undefined ? FIRST : Math.min(WINDOW, before.bytes.length * 2);
  };
  const fetch = (offset: number, length: number): Window => {
    const wanted = Math.max(length, amount(offset));
    // Near the end the window reaches back, so that a directory and the records behind it come in one read.
    const start = Math.max(0, Math.min(offset, size - wanted));
    const window = { start, bytes: read(start, Math.min(wanted, size - start)) };
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
      const { start, bytes } = find(offset, length) ?? fetch(offset, length);
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
