/** Kinds of items (RFC 8949, 3.1): bytes and texts have content of their own, the others are followed by items. */
const [BYTES, TEXT] = [2, 3];
/** What says that a length follows in 1 to 8 bytes, and that there is none: items until a break. */
const [FOLLOWS, ENDLESS] = [24, 31];
/** Bytes of a length that can be one of this value. */
const LONGEST = 4;

/** Where the texts of a value in CBOR (RFC 8949) are; none when the value is not CBOR to its last byte. */
export const cborTexts = (bytes: Uint8Array): readonly Uint8Array[] => {
  const texts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const head = bytes[at] ?? 0;
    const [kind, info] = [head >> 5, head & 31];
    at += 1;
    const more = info < FOLLOWS ? 0 : 2 ** (info - FOLLOWS);
    if (info === ENDLESS) continue;
    if (more > 8 || at + more > bytes.length) return [];
    if (kind === BYTES || kind === TEXT) {
      let length = info;
      if (more > LONGEST) return [];
      if (more > 0) length = bytes.subarray(at, at + more).reduce((value, byte) => value * 256 + byte, 0);
      const start = at + more;
      if (length > bytes.length - start) return [];
      if (kind === TEXT) texts.push(bytes.subarray(start, start + length));
      at = start + length;
    } else at += more;
  }
  return texts;
};
