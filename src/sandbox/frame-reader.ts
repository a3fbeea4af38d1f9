import { HEADER, KIND, MESSAGE_LIMIT, parseHeader, READ_LIMIT, REPORT_LIMIT } from './frames.ts';

export type Frame = { readonly kind: number; readonly payload: Buffer };

/** Bytes that a worker may send in a frame of `kind`; undefined for a kind that workers do not send. */
const limitOf = (kind: number): number | undefined => {
  if (kind === KIND.report) return REPORT_LIMIT;
  if (kind === KIND.write) return READ_LIMIT;
  const known = [KIND.ready, KIND.read, KIND.failure, KIND.copy].some((short) => short === kind);
  return known ? MESSAGE_LIMIT : undefined;
};

/**
 * Puts a worker's bytes together to frames. `push` gives the frames that became whole, or undefined once the worker
 * has announced a frame of unknown kind or over its limit; it holds at most one frame and one chunk.
 */
export const createFrameReader = (): { push(chunk: Buffer): readonly Frame[] | undefined } => {
  let held: Buffer[] = [];
  let size = 0;
  let needed = HEADER;
  return {
    push(chunk) {
      held.push(chunk);
      size += chunk.length;
      const frames: Frame[] = [];
      while (size >= needed) {
        const all = held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held, size);
        held = [all];
        const { kind, length } = parseHeader(all);
        const limit = limitOf(kind);
        if (limit === undefined || length > limit) return undefined;
        needed = HEADER + length;
        if (size < needed) break;
        frames.push({ kind, payload: all.subarray(HEADER, needed) });
        held = [all.subarray(needed)];
        size -= needed;
        needed = HEADER;
      }
      return frames;
    },
  };
};
