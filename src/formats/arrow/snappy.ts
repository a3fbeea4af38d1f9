import { WeighbridgeError } from '../../errors.ts';

/**
 * Most elements are short, and what they are cannot be foretold: sixteen bytes are copied without asking how many of
 * them count, those beyond are written over by the next. So many may lie behind the block.
 */
const AT_ONCE = 16;
/** What a tag says of a copy with one or two bytes of distance: its length, the upper bits of the distance, its bytes. */
const COPIES = Uint16Array.from({ length: 256 }, (_, tag) =>
  (tag & 3) === 1 ? (((tag >> 2) & 7) + 4) | ((tag >> 5) << 8) | (1 << 11) : ((tag >> 2) + 1) | (2 << 11),
);
/** Which bits of the two bytes behind such a tag are of its distance. */
const DISTANCE = Uint16Array.of(0, 0xff, 0xffff, 0xffff);

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `snappy: ${message}`);
};

/**
 * One raw Snappy block that becomes exactly `size` bytes. Throws FORMAT_INVALID when it does not.
 * Specification: https://github.com/google/snappy/blob/main/format_description.txt
 */
export const unsnappy = (input: Uint8Array, size: number): Uint8Array => {
  let at = sizeBefore(input, size);
  const end = input.length;
  const out = new Uint8Array(size + AT_ONCE);
  const from = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const to = new DataView(out.buffer);
  let used = 0;
  while (at < end) {
    const tag = input[at++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const more = length - 60;
        length = 1;
        for (let index = 0; index < more; index++) length += (input[at++] ?? 0) * 256 ** index;
      }
      if (at + length > end || used + length > size) invalid('a literal is too long');
      if (length <= AT_ONCE && at + AT_ONCE <= end) {
        to.setUint32(used, from.getUint32(at));
        to.setUint32(used + 4, from.getUint32(at + 4));
        to.setUint32(used + 8, from.getUint32(at + 8));
        to.setUint32(used + 12, from.getUint32(at + 12));
      } else out.set(input.subarray(at, at + length), used);
      at += length;
      used += length;
      continue;
    }
    let length = (tag >> 2) + 1;
    let distance = 0;
    if (kind !== 3 && at + 2 <= end) {
      const copy = COPIES[tag] ?? 0;
      length = copy & 0xff;
      distance = (copy & 0x700) + (from.getUint16(at, true) & (DISTANCE[kind] ?? 0));
      at += copy >> 11;
    } else if (kind === 1) {
      length = ((tag >> 2) & 7) + 4;
      distance = ((tag >> 5) << 8) | (input[at++] ?? 0);
    } else {
      distance = farDistance(input, at, kind);
      at += kind === 2 ? 2 : 4;
    }
    if (distance === 0 || distance > used || used + length > size) invalid('a copy leaves the block');
    const back = used - distance;
    if (distance >= AT_ONCE && length <= AT_ONCE) {
      to.setUint32(used, to.getUint32(back));
      to.setUint32(used + 4, to.getUint32(back + 4));
      to.setUint32(used + 8, to.getUint32(back + 8));
      to.setUint32(used + 12, to.getUint32(back + 12));
    } else if (distance >= length) out.copyWithin(used, back, back + length);
    else for (let index = 0; index < length; index++) out[used + index] = out[back + index] ?? 0;
    used += length;
  }
  if (used !== size) invalid('it ends early');
  return out.subarray(0, size);
};

/** Where the elements begin, behind the size of the block. */
const sizeBefore = (input: Uint8Array, size: number): number => {
  let declared = 0;
  for (let at = 0, shift = 0; ; shift += 7) {
    const byte = input[at++] ?? invalid('it ends in its length');
    declared += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80 && declared === size) return at;
    if (byte < 0x80) invalid('its length is not that of the page');
    if (shift > 28) invalid('its length goes on');
  }
};

/** How far back a copy is taken from, in four bytes, or in two that end the block. */
const farDistance = (input: Uint8Array, at: number, kind: number): number => {
  const two = (input[at] ?? 0) | ((input[at + 1] ?? 0) << 8);
  return kind === 2 ? two : two + ((input[at + 2] ?? 0) | ((input[at + 3] ?? 0) << 8)) * 0x10000;
};
