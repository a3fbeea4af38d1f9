/** The shortest repetition that is worth its place, and the bytes at the end that LZ4 wants as they are. */
const LEAST = 4;
const TAIL = 12;
/** Slots of the table of places, as a power of two: Snappy's own number for its blocks. */
const SLOTS = 14;
/** Misses after which a step grows by one: what does not repeat is passed over quickly. */
const PATIENCE = 32;

/** Bytes as they are from `from` to `at`, and behind them `length` bytes that stand `distance` before as well. */
export type Visit = (from: number, at: number, length: number, distance: number) => void;

/**
 * Finds where bytes from `start` to `end` repeat others no more than `reach` bytes before, greedily and always the same
 * way: one table of the last place of four bytes. Returns where the bytes begin that follow the last repetition.
 */
export const repeatsIn = (bytes: Uint8Array, start: number, end: number, reach: number, visit: Visit): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = new Int32Array(1 << SLOTS).fill(-1);
  const last = end - TAIL;
  let from = start;
  let misses = 0;
  for (let at = start; at < last; ) {
    const four = view.getUint32(at, true);
    const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - SLOTS);
    const before = places[slot] ?? -1;
    places[slot] = at;
    if (before < 0 || at - before > reach || view.getUint32(before, true) !== four) {
      at += 1 + Math.floor(misses++ / PATIENCE);
      continue;
    }
    let length = LEAST;
    while (at + length < end - LEAST - 1 && bytes[before + length] === bytes[at + length]) length += 1;
    visit(from, at, length, at - before);
    at += length;
    from = at;
    misses = 0;
  }
  return from;
};
