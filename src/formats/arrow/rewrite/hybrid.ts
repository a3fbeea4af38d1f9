import { createOut } from './out.ts';

/** Equal numbers from which a run is shorter than the same packed. */
const RUN = 16;

/** Small numbers of `width` bits as runs and packed groups of eight (Encodings.md, RLE). */
export const writeHybrid = (numbers: Uint32Array, width: number): Uint8Array => {
  const out = createOut(64 + Math.ceil((numbers.length * width) / 8));
  let at = 0;
  while (at < numbers.length) {
    const length = runAt(numbers, at);
    if (length >= RUN || at + length === numbers.length) {
      out.varint(BigInt(length) << 1n);
      for (let byte = 0; byte < Math.ceil(width / 8); byte++) out.byte(((numbers[at] ?? 0) >>> (8 * byte)) & 0xff);
      at += length;
      continue;
    }
    let end = at;
    // Groups are of eight; only the last one may be filled up.
    while (end < numbers.length && (end === at || runAt(numbers, end) < RUN)) end = Math.min(end + 8, numbers.length);
    pack(out, numbers.subarray(at, end), width);
    at = end;
  }
  return out.finish();
};

const runAt = (numbers: Uint32Array, start: number): number => {
  let end = start + 1;
  while (end < numbers.length && numbers[end] === numbers[start]) end += 1;
  return end - start;
};

const pack = (out: ReturnType<typeof createOut>, numbers: Uint32Array, width: number): void => {
  const groups = Math.ceil(numbers.length / 8);
  out.varint((BigInt(groups) << 1n) | 1n);
  let held = 0;
  let bits = 0;
  for (let index = 0; index < groups * 8; index++) {
    held += (numbers[index] ?? 0) * 2 ** bits;
    for (bits += width; bits >= 8; bits -= 8) {
      out.byte(held % 256);
      held = Math.floor(held / 256);
    }
  }
};
