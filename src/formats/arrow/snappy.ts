import { WeighbridgeError } from '../../errors.ts';

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `snappy: ${message}`);
};

/**
 * One raw Snappy block that becomes exactly `size` bytes. Throws FORMAT_INVALID when it does not.
 * Specification: https://github.com/google/snappy/blob/main/format_description.txt
 */
export const unsnappy = (input: Uint8Array, size: number): Uint8Array => {
  let at = 0;
  let declared = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = input[at++] ?? invalid('it ends in its length');
    declared += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) invalid('its length goes on');
  }
  if (declared !== size) invalid('its length is not that of the page');
  const out = new Uint8Array(size);
  let used = 0;
  while (at < input.length) {
    const tag = input[at++] ?? 0;
    if ((tag & 3) === 0) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const more = length - 60;
        length = 1;
        for (let index = 0; index < more; index++) length += (input[at++] ?? 0) * 256 ** index;
      }
      if (at + length > input.length || used + length > size) invalid('a literal is too long');
      out.set(input.subarray(at, at + length), used);
      at += length;
      used += length;
      continue;
    }
    const [length, distance, bytes] = copyAt(input, at, tag);
    at += bytes;
    if (distance === 0 || distance > used || used + length > size) invalid('a copy leaves the block');
    if (distance >= length) out.copyWithin(used, used - distance, used - distance + length);
    else for (let index = 0; index < length; index++) out[used + index] = out[used + index - distance] ?? 0;
    used += length;
  }
  if (used !== size) invalid('it ends early');
  return out;
};

/** Length, distance and further bytes of a copy. */
const copyAt = (input: Uint8Array, at: number, tag: number): readonly [number, number, number] => {
  const one = input[at] ?? 0;
  const two = one | ((input[at + 1] ?? 0) << 8);
  if ((tag & 3) === 1) return [((tag >> 2) & 7) + 4, ((tag >> 5) << 8) | one, 1];
  if ((tag & 3) === 2) return [(tag >> 2) + 1, two, 2];
  return [(tag >> 2) + 1, two + ((input[at + 2] ?? 0) | ((input[at + 3] ?? 0) << 8)) * 0x10000, 4];
};
