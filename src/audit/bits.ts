/** Entries of a block of the index. A block is written once, when it is full, and never changed. */
export const BLOCK_ENTRIES = 4096;
const WORDS = BLOCK_ENTRIES / 32;
/** Bytes of a set as one bit for each entry. */
const BITMAP_BYTES = BLOCK_ENTRIES / 8;
/** Sets with fewer members are kept as a list of 16-bit numbers, which is then shorter. */
const LISTED = BITMAP_BYTES / 2;

/** Some entries of a block. */
export type Bits = Uint32Array;

export const noBits = (): Bits => new Uint32Array(WORDS);

export const setBit = (bits: Bits, at: number): void => {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
};

/** Adds what is in `others`. */
export const join = (bits: Bits, others: Bits): Bits => {
  for (let word = 0; word < WORDS; word += 1) bits[word] = (bits[word] ?? 0) | (others[word] ?? 0);
  return bits;
};

/** Keeps what is in `others` as well. */
export const meet = (bits: Bits, others: Bits): Bits => {
  for (let word = 0; word < WORDS; word += 1) bits[word] = (bits[word] ?? 0) & (others[word] ?? 0);
  return bits;
};

/** The members, ascending. */
export const membersOf = (bits: Bits): number[] => {
  const members: number[] = [];
  for (let word = 0; word < WORDS; word += 1) {
    for (let rest = bits[word] ?? 0; rest !== 0; rest &= rest - 1) {
      members.push(32 * word + 31 - Math.clz32(rest & -rest));
    }
  }
  return members;
};

export const countOf = (bits: Bits): number => {
  let count = 0;
  for (const word of bits) for (let rest = word; rest !== 0; rest &= rest - 1) count += 1;
  return count;
};

/** Ascending `members` as they are stored. */
export const packed = (members: readonly number[]): Uint8Array => {
  if (members.length < LISTED) return bytesOf(Uint16Array.from(members));
  const bits = noBits();
  for (const at of members) setBit(bits, at);
  return bytesOf(bits);
};

/** Adds a stored set to `bits`; undefined when it is none. */
export const unpack = (stored: Uint8Array, bits: Bits): Bits | undefined => {
  // A copy, since what SQLite hands out may begin anywhere.
  const { buffer } = Uint8Array.from(stored);
  if (stored.length === BITMAP_BYTES) return join(bits, new Uint32Array(buffer));
  if (stored.length > BITMAP_BYTES || stored.length % 2 !== 0) return undefined;
  for (const at of new Uint16Array(buffer)) {
    if (at >= BLOCK_ENTRIES) return undefined;
    setBit(bits, at);
  }
  return bits;
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
