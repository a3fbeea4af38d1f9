import { type Budget, exceeded, KIB, MIB } from '../../bytes/limits.ts';

/** Bytes that one compressed stream may become: they are held in memory while they are inspected. */
export const INFLATED_STREAM_LIMIT = 128 * MIB;
/**
 * Decompressed bytes for one compressed byte. Weights stay under 2, text under 20, very regular tables under 100;
 * DEFLATE reaches 1,032 on zeros alone.
 */
export const RATIO_LIMIT = 250;
/** Output that is harmless whatever its ratio: a small file of zeros is no bomb. */
const RATIO_FREE = 128 * KIB;

/** Where a decoder writes: one growing buffer, so that it can copy from what it wrote. */
export type Sink = {
  /** What was written is `bytes.subarray(0, length)`; the rest is room. */
  bytes: Uint8Array;
  length: number;
  /** Bytes of input, for the ratio. */
  readonly compressed: number;
  /** Makes room for `count` more bytes; throws LIMIT_EXCEEDED when that is too much. */
  reserve(count: number): void;
  append(chunk: Uint8Array): void;
  /** Copies `count` bytes from `distance` bytes back, which may overlap. The caller has checked `distance`. */
  repeat(distance: number, count: number): void;
  /** Enters the output in the budget and returns it. */
  finish(): Uint8Array;
};

/** A sink for the output of `compressed` bytes; `limit` in bytes is what the container declared, when it did. */
export const createSink = (compressed: number, budget: Budget, limit = INFLATED_STREAM_LIMIT): Sink => {
  const most = Math.min(limit, INFLATED_STREAM_LIMIT);
  let spent = 0;
  const spend = (length: number) => {
    budget.spend('bytesInflated', length - spent);
    spent = length;
  };
  const grow = (needed: number) => {
    if (needed > most) exceeded('decompressed size', most);
    if (isBomb({ length: needed, compressed })) exceeded('compression ratio', RATIO_LIMIT);
    spend(sink.length);
    const larger = new Uint8Array(Math.min(most, Math.max(needed, 2 * sink.bytes.length)));
    larger.set(sink.bytes.subarray(0, sink.length));
    sink.bytes = larger;
  };
  const sink: Sink = {
    bytes: new Uint8Array(Math.min(most, 16 * KIB, compressed * 4 + 64)),
    length: 0,
    compressed,
    reserve(count) {
      if (sink.length + count > sink.bytes.length) grow(sink.length + count);
    },
    append(chunk) {
      sink.reserve(chunk.length);
      sink.bytes.set(chunk, sink.length);
      sink.length += chunk.length;
    },
    repeat(distance, count) {
      sink.reserve(count);
      const { bytes } = sink;
      let from = sink.length - distance;
      let to = sink.length;
      if (distance >= count) bytes.copyWithin(to, from, from + count);
      else for (const end = to + count; to < end; ) bytes[to++] = bytes[from++] ?? 0;
      sink.length += count;
    },
    finish() {
      if (isBomb(sink)) exceeded('compression ratio', RATIO_LIMIT);
      spend(sink.length);
      return sink.bytes.subarray(0, sink.length);
    },
  };
  return sink;
};

/** True when so much output came from so little input as no honest file does. */
export const isBomb = ({ length, compressed }: { readonly length: number; readonly compressed: number }): boolean =>
  length > RATIO_FREE && length > compressed * RATIO_LIMIT;
