import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Characters of a number in a text stream. */
const WORD = 64;

/** The numbers and bytes of a serialised object, whichever of the encodings they have. */
export type Stream = {
  /** Offset of what comes next. */
  readonly position: number;
  /** Bytes that are left: no count can be larger. */
  remaining(): number;
  integer(): number;
  /** Passes over `count` integers (4), doubles (8) or bytes (1). */
  pass(count: number, width: 1 | 4 | 8): void;
  /** The bytes of a text. */
  text(length: number): Uint8Array;
};

const truncated = (offset: number): never => {
  throw new WeighbridgeError('FORMAT_TRUNCATED', 'R: numbers end behind the file', { offset });
};

const pass = (cursor: Cursor, bytes: number): void => {
  if (bytes > cursor.remaining()) truncated(cursor.position);
  cursor.skip(bytes);
};

/** XDR (RFC 4506), where everything is big-endian, or the encoding of a machine, which today is little-endian. */
export const binary = (source: RandomAccess, start: number, littleEndian: boolean): Stream => {
  const cursor = createCursor(source, start);
  return {
    get position() {
      return cursor.position;
    },
    remaining: () => cursor.remaining(),
    integer() {
      const bytes = cursor.bytes(4);
      return new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, littleEndian);
    },
    pass: (count, width) => pass(cursor, count * width),
    text: (length) => cursor.bytes(length),
  };
};

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The text encoding: words apart, strings with escapes. */
export const ascii = (source: RandomAccess, start: number): Stream => {
  const cursor = createCursor(source, start);
  const word = (): string => {
    let byte = cursor.u8();
    while (isSpace(byte)) byte = cursor.u8();
    let out = '';
    while (!isSpace(byte)) {
      out += String.fromCharCode(byte);
      if (out.length > WORD)
        throw new WeighbridgeError('FORMAT_INVALID', 'R: a word is too long', { offset: cursor.position });
      if (cursor.remaining() === 0) break;
      byte = cursor.u8();
    }
    return out;
  };
  const integer = (): number => {
    const found = word();
    if (found === 'NA') return -0x80000000;
    if (!/^-?[0-9]{1,10}$/.test(found))
      throw new WeighbridgeError('FORMAT_INVALID', 'R: expected an integer', { offset: cursor.position });
    return Number(found) | 0;
  };
  const escaped = (): number => {
    const byte = cursor.u8();
    if (byte !== 0x5c) return byte;
    const letter = cursor.u8();
    if (letter < 0x30 || letter > 0x37) return letter;
    let value = letter - 0x30;
    for (let digits = 1; digits < 3; digits++) {
      const next = cursor.u8();
      if (next < 0x30 || next > 0x37) {
        cursor.position -= 1;
        break;
      }
      value = value * 8 + next - 0x30;
    }
    return value & 255;
  };
  return {
    get position() {
      return cursor.position;
    },
    remaining: () => cursor.remaining(),
    integer,
    pass(count) {
      for (let index = 0; index < count; index++) word();
    },
    text(length) {
      // Every character takes a byte at least, so the count is bounded by what is left.
      if (length > cursor.remaining()) truncated(cursor.position);
      if (length === 0) return new Uint8Array();
      while (isSpace(cursor.u8()));
      cursor.position -= 1;
      return Uint8Array.from({ length }, escaped);
    },
  };
};
