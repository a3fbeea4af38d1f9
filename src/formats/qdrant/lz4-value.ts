/** Bytes of the shortest copy. */
const COPY = 4;
/** Half a byte that says that more of the number follows. */
const MORE = 15;

/**
 * A block of LZ4 that becomes exactly `size` bytes, and where it ends in `packed`; undefined when none begins at `at`. Blocks
 * do not say how long they are: one ends with the literals that fill what it becomes (lz4_Block_format.md).
 */
export const lz4Value = (
  packed: Uint8Array,
  at: number,
  size: number,
): { readonly bytes: Uint8Array; readonly end: number } | undefined => {
  const bytes = new Uint8Array(size);
  let to = 0;
  let next = at;
  const number = (half: number): number => {
    let value = half;
    if (half < MORE) return value;
    for (let byte = 255; byte === 255 && next < packed.length; value += byte) byte = packed[next++] ?? 0;
    return value;
  };
  while (next < packed.length) {
    const token = packed[next++] ?? 0;
    const literals = number(token >> 4);
    if (literals > size - to || literals > packed.length - next) return undefined;
    bytes.set(packed.subarray(next, next + literals), to);
    next += literals;
    to += literals;
    if (to === size) return (token & MORE) === 0 ? { bytes, end: next } : undefined;
    if (next + 2 > packed.length) return undefined;
    const distance = (packed[next] ?? 0) + 256 * (packed[next + 1] ?? 0);
    next += 2;
    const length = number(token & MORE) + COPY;
    if (distance === 0 || distance > to || length > size - to) return undefined;
    for (let copied = 0; copied < length; copied++, to++) bytes[to] = bytes[to - distance] ?? 0;
  }
  return undefined;
};
