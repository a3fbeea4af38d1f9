import { WeighbridgeError } from '../errors.ts';
import { latin1 } from './latin1.ts';

/** UTF-16 units gathered before they become a string; bounds the arguments of one call. */
const UNITS = 4096;

const invalid = (offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `bytes at ${offset} are not UTF-8`, { offset });
};

/** Bytes of the sequence that `lead` begins and the smallest code point it may encode (RFC 3629); length 0 when none. */
const sequence = (lead: number): readonly [length: number, smallest: number, bits: number] => {
  if (lead >= 0xc2 && lead <= 0xdf) return [2, 0x80, lead & 0x1f];
  if (lead >= 0xe0 && lead <= 0xef) return [3, 0x800, lead & 0x0f];
  if (lead >= 0xf0 && lead <= 0xf4) return [4, 0x10000, lead & 0x07];
  return [0, 0, 0];
};

/** The code point whose sequence begins at `at` with a byte that is not ASCII. Throws FORMAT_INVALID unless it is strict UTF-8. */
const pointAt = (bytes: Uint8Array, at: number, base: number): number => {
  const [length, smallest, bits] = sequence(bytes[at] ?? 0);
  if (length === 0 || at + length > bytes.length) invalid(base + at);
  let point = bits;
  for (let next = at + 1; next < at + length; next++) {
    const byte = bytes[next] ?? 0;
    if ((byte & 0xc0) !== 0x80) invalid(base + at);
    point = (point << 6) | (byte & 0x3f);
  }
  if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) invalid(base + at);
  return point;
};

/** Bytes of the sequence of a code point that is not ASCII. */
const bytesOf = (point: number): number => (point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);

/** How many bytes from `at` on, up to UNITS, are ASCII: most text is, and becomes a string at once. */
const asciiFrom = (bytes: Uint8Array, at: number): number => {
  const end = Math.min(bytes.length, at + UNITS);
  let next = at;
  while (next < end && (bytes[next] ?? 0) < 0x80) next += 1;
  return next - at;
};

/**
 * `bytes` as strict UTF-8 (RFC 3629: no overlong forms, no surrogates). Written out because a bare isolate has no
 * TextDecoder. Throws FORMAT_INVALID with the offset (plus `base`) of the first wrong byte.
 */
export const decodeUtf8 = (bytes: Uint8Array, base = 0): string => {
  if (bytes.length <= UNITS && asciiFrom(bytes, 0) === bytes.length) return latin1(bytes);
  const units = new Uint16Array(Math.min(UNITS, bytes.length));
  const parts: string[] = [];
  let used = 0;
  let at = 0;
  while (at < bytes.length) {
    if (used > UNITS - 2) {
      parts.push(Reflect.apply(String.fromCharCode, null, units.subarray(0, used)));
      used = 0;
    }
    if (used === 0) {
      const narrow = asciiFrom(bytes, at);
      if (narrow > 0) {
        parts.push(Reflect.apply(String.fromCharCode, null, bytes.subarray(at, at + narrow)));
        at += narrow;
        continue;
      }
    }
    const lead = bytes[at] ?? 0;
    if (lead < 0x80) {
      units[used++] = lead;
      at += 1;
      continue;
    }
    const point = pointAt(bytes, at, base);
    if (point < 0x10000) units[used++] = point;
    else {
      units[used++] = 0xd800 + ((point - 0x10000) >> 10);
      units[used++] = 0xdc00 + ((point - 0x10000) & 0x3ff);
    }
    at += bytesOf(point);
  }
  parts.push(Reflect.apply(String.fromCharCode, null, units.subarray(0, used)));
  return parts.join('');
};

/**
 * Whether `bytes` are ASCII altogether. Throws FORMAT_INVALID like `decodeUtf8`, with the same offset, when they are no
 * UTF-8: for text that is looked at as it lies.
 */
export const checkUtf8 = (bytes: Uint8Array, base = 0): boolean => {
  let narrow = true;
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    narrow = false;
    at += bytesOf(pointAt(bytes, at, base));
  }
  return narrow;
};

/** How many last bytes of `bytes` (0 to 3) begin a sequence that is cut off: they belong to the next block. */
export const cutSequence = (bytes: Uint8Array): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return sequence(byte)[0] > back ? back : 0;
  }
  return 0;
};

/** Bytes that the units of `text` from `start` to `end` take in UTF-8: turns a position in text into an offset in its file. */
export const utf8Length = (text: string, end = text.length, start = 0): number => {
  let length = 0;
  for (let at = start; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff)) length += 2;
    else length += 3;
  }
  return length;
};

/** Turns positions in `text` into byte offsets, in linear time for positions that grow. */
export const createOffsets = (text: string): ((position: number) => number) => {
  let known = 0;
  let bytes = 0;
  return (position) => {
    bytes = position >= known ? bytes + utf8Length(text, position, known) : utf8Length(text, position);
    known = position;
    return bytes;
  };
};
