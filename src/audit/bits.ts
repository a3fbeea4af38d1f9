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

/** Bytes before a stored set in a row of them: number of the block, and bytes of the set; big-endian. */
const FRAME_HEAD = 8;

/** Adds sets as they are stored, each behind its block and its length, to those of their blocks; false when one is none. */
export const unpackFrames = (frames: Buffer, found: Map<number, Bits>): boolean => {
  let at = 0;
  while (at < frames.length) {
    if (at + FRAME_HEAD > frames.length) return false;
    const [block, from] = [frames.readUInt32BE(at), at + FRAME_HEAD];
    at = from + frames.readUInt32BE(at + 4);
    if (at > frames.length) return false;
    const bits = found.get(block) ?? noBits();
    found.set(block, bits);
    if (!unpack(frames, from, at, bits)) return false;
  }
  return true;
};

/** Adds the set that is stored from `from` to `end`; false when it is none. */
const unpack = (stored: Buffer, from: number, end: number, bits: Bits): boolean => {
  if (end - from === BITMAP_BYTES) {
    for (let word = 0; word < WORDS; word += 1) bits[word] = (bits[word] ?? 0) | stored.readUInt32LE(from + 4 * word);
    return true;
  }
  if (end - from > BITMAP_BYTES || (end - from) % 2 !== 0) return false;
  for (let next = from; next < end; next += 2) {
    const at = stored.readUInt16LE(next);
    if (at >= BLOCK_ENTRIES) return false;
    setBit(bits, at);
  }
  return true;
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
