import { createHash } from 'node:crypto';
import { KIB, MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import type { ListedFile, RepoAt } from './types.ts';

/** A range that upstream was asked for, with the digest of what came. */
export type RangeRead = { readonly offset: number; readonly length: number; readonly sha256: string };

/** A remote file that is read by Range, and what was read of it. */
type Remote = {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  ranges(): readonly RangeRead[];
};

/** A request costs a round trip whatever its size, so that at least this much is asked for. */
const MIN_REQUEST = 256 * KIB;
/**
 * What may be read by Range in all before the file is fetched as a whole: a directory of 5,000 members takes 0.5 MB, a
 * safetensors header of a large model 10 MB.
 */
const MAX_BYTES = 128 * MIB;
const MAX_REQUESTS = 64;
/** How long one range may take in all, and how long nothing of it may come before it is asked for anew, in ms. */
const REQUEST_TIMEOUT = 20_000;
const STALL = 5_000;

/**
 * Reads `file` by Range with few requests: whatever was read once is kept. Rejects with LIMIT_EXCEEDED when a parser
 * wants so much that fetching the whole file is better.
 */
export const readByRange = (repo: RepoAt, file: ListedFile, signal?: AbortSignal): Remote => {
  const kept: { offset: number; bytes: Uint8Array; sha256: string }[] = [];
  let total = 0;

  const request = async (offset: number, length: number): Promise<Uint8Array> => {
    if (kept.length >= MAX_REQUESTS || total + length > MAX_BYTES) {
      throw new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_REQUESTS} ranges or ${MAX_BYTES} bytes by Range`);
    }
    total += length;
    const bytes = new Uint8Array(length);
    const until = performance.now() + REQUEST_TIMEOUT;
    let at = 0;
    while (at < length) at += await receive(offset + at, bytes.subarray(at), until);
    kept.push({ offset, bytes, sha256: createHash('sha256').update(bytes).digest('hex') });
    return bytes;
  };

  /** Fills `bytes` from `offset` on, as far as they come without a stall; gives their number. */
  const receive = async (offset: number, bytes: Uint8Array, until: number): Promise<number> => {
    const left = until - performance.now();
    if (left <= 0) throw new WeighbridgeError('LIMIT_EXCEEDED', `a range took longer than ${REQUEST_TIMEOUT} ms`);
    const stalled = new AbortController();
    const watch = setTimeout(() => stalled.abort(), Math.min(STALL, left));
    const given = signal === undefined ? stalled.signal : AbortSignal.any([signal, stalled.signal]);
    let at = 0;
    try {
      for await (const chunk of repo.fetch(file, offset, offset + bytes.length, given)) {
        bytes.set(chunk.subarray(0, bytes.length - at), at);
        at += chunk.length;
        if (performance.now() < until) watch.refresh();
      }
    } catch (error) {
      if (!stalled.signal.aborted || signal?.aborted === true) throw error;
      return at;
    } finally {
      clearTimeout(watch);
    }
    if (at === bytes.length) return at;
    const message = `a range of ${file.path} has ${at} bytes, not ${bytes.length}`;
    throw new WeighbridgeError('UPSTREAM_MISMATCH', message);
  };

  return {
    size: file.size,
    async read(offset, length) {
      const found = kept.find(
        (range) => offset >= range.offset && offset + length <= range.offset + range.bytes.length,
      );
      if (found !== undefined) return found.bytes.subarray(offset - found.offset, offset - found.offset + length);
      // A parser that looks at the end of a file goes backwards from there, and one that does not goes forwards.
      const wanted = Math.min(Math.max(length, MIN_REQUEST), file.size);
      const start = offset + wanted > file.size ? file.size - wanted : offset;
      const bytes = await request(Math.min(start, offset), Math.max(wanted, offset + length - start));
      return bytes.subarray(offset - Math.min(start, offset), offset - Math.min(start, offset) + length);
    },
    ranges: () => kept.map(({ offset, bytes, sha256 }) => ({ offset, length: bytes.length, sha256 })),
  };
};
