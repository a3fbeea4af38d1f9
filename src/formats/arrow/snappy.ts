import { WeighbridgeError } from '../../errors.ts';

/** Bytes that are copied one by one: a call costs more. */
const SHORT = 24;

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
      if (length > SHORT) out.set(input.subarray(at, at + length), used);
      else for (let index = 0; index < length; index++) out[used + index] = input[at + index] ?? 0;
      at += length;
      used += length;
      continue;
    }
    const one = input[at] ?? 0;
    const kind = tag & 3;
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const distance = kind === 1 ? ((tag >> 5) << 8) | one : distanceAt(input, at, kind === 2 ? 2 : 4);
    at += kind === 1 ? 1 : kind === 2 ? 2 : 4;
    if (distance === 0 || distance > used || used + length > size) invalid('a copy leaves the block');
    if (distance >= length && length > SHORT) out.copyWithin(used, used - distance, used - distance + length);
    else for (let index = 0; index < length; index++) out[used + index] = out[used + index - distance] ?? 0;
    used += length;
  }
  if (used !== size) invalid('it ends early');
  return out;
};

/** How far back a copy is taken from, in two or four bytes. */
const distanceAt = (input: Uint8Array, at: number, bytes: number): number => {
  const two = (input[at] ?? 0) | ((input[at + 1] ?? 0) << 8);
  return bytes === 2 ? two : two + ((input[at + 2] ?? 0) | ((input[at + 3] ?? 0) << 8)) * 0x10000;
};
