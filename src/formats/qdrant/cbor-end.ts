/** Items inside each other, and what is looked at for one value. */
const [DEPTH, ITEMS] = [16, 1_000_000];
/** Kinds of items (RFC 8949, 3.1). */
const [TEXT, ARRAY, MAP] = [3, 4, 5];
/** What says that a number follows in 1 to 8 bytes; greater ones say what no writer here says. */
const [FOLLOWS, WIDEST] = [24, 27];

/** Where a list or a map of texts in CBOR that begins at `at` ends; undefined when none does, or when it holds nothing. */
export const cborEnd = (bytes: Uint8Array, at: number): number | undefined => {
  const kind = (bytes[at] ?? 0) >> 5;
  if (kind !== ARRAY && kind !== MAP) return undefined;
  const reader = { at, items: 0 };
  return passes(bytes, reader, 0) && reader.items > 1 ? reader.at : undefined;
};

const passes = (bytes: Uint8Array, reader: { at: number; items: number }, depth: number): boolean => {
  const head = bytes[reader.at++] ?? 0xff;
  const [kind, info] = [head >> 5, head & 31];
  reader.items += 1;
  if (depth > DEPTH || reader.items > ITEMS || info > WIDEST) return false;
  let value = info;
  if (info >= FOLLOWS) {
    const width = 2 ** (info - FOLLOWS);
    if (width > bytes.length - reader.at) return false;
    value = bytes.subarray(reader.at, reader.at + width).reduce((sum, byte) => sum * 256 + byte, 0);
    reader.at += width;
  }
  if (kind === TEXT) {
    reader.at += value;
    return reader.at <= bytes.length;
  }
  if (kind !== ARRAY && kind !== MAP) return false;
  const count = kind === MAP ? 2 * value : value;
  if (count > bytes.length - reader.at) return false;
  for (let index = 0; index < count; index++) if (!passes(bytes, reader, depth + 1)) return false;
  return true;
};
