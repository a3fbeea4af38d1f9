/** Bytes that are gathered one after the other. */
export type Out = {
  byte(value: number): void;
  bytes(value: Uint8Array): void;
  /** An unsigned number in groups of seven bits. */
  varint(value: bigint): void;
  u32(value: number): void;
  finish(): Uint8Array;
};

/** First room; it doubles. */
const ROOM = 1024;

export const createOut = (room = ROOM): Out => {
  let held = new Uint8Array(room);
  let used = 0;
  const need = (more: number): void => {
    if (used + more <= held.length) return;
    const larger = new Uint8Array(Math.max(held.length * 2, used + more));
    larger.set(held.subarray(0, used));
    held = larger;
  };
  const byte = (value: number): void => {
    need(1);
    held[used++] = value;
  };
  return {
    byte,
    bytes(value) {
      need(value.length);
      held.set(value, used);
      used += value.length;
    },
    varint(value) {
      let left = value;
      for (; left >= 0x80n; left >>= 7n) byte(Number(left & 0x7fn) | 0x80);
      byte(Number(left));
    },
    u32(value) {
      for (let shift = 0; shift < 32; shift += 8) byte((value >>> shift) & 0xff);
    },
    finish: () => held.subarray(0, used),
  };
};

/** Pieces as one. */
export const joined = (...pieces: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
};
