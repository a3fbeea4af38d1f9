import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import type { Sink } from '../archive/sink.ts';
import { compressedFormat } from './stream.ts';

/** Selectors of one block: a block of 900,000 symbols has at most 18,001, and decoders tolerate a few more. */
const SELECTOR_LIMIT = 18_002;
const LONGEST_CODE = 20;
const GROUP = 50;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `bzip2: ${message}`);
};

/** Bits from the most significant on. */
const createBits = (input: ByteReader) => {
  let hold = 0;
  let held = 0;
  const take = (count: number): number => {
    while (held < count) {
      hold = ((hold << 8) | input.next()) & 0xffffff;
      held += 8;
    }
    held -= count;
    return (hold >>> held) & ((1 << count) - 1);
  };
  return {
    /** Up to 16 bits. */
    take,
    u24: () => (take(12) << 12) | take(12),
    u32: () => ((take(16) << 16) | take(16)) >>> 0,
    align: () => {
      held = 0;
    },
  };
};
type Bits = ReturnType<typeof createBits>;

/** CRC-32 of bzip2: the same polynomial as zip's, but not reflected. */
const CRC = Int32Array.from({ length: 256 }, (_, i) => {
  let value = i << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value;
});

const checksum = (bytes: Uint8Array): number => {
  let crc = -1;
  for (const byte of bytes) crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ byte] ?? 0);
  return ~crc >>> 0;
};

type Table = { readonly limit: Int32Array; readonly base: Int32Array; readonly symbols: Uint16Array };

const buildTable = (lengths: Uint8Array): Table => {
  const limit = new Int32Array(LONGEST_CODE + 2).fill(-1);
  const base = new Int32Array(LONGEST_CODE + 2);
  const symbols = new Uint16Array(lengths.length);
  let place = 0;
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length += 1) {
    base[length] = place - code;
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] !== length) continue;
      symbols[place] = symbol;
      place += 1;
      code += 1;
    }
    if (code > 1 << length) invalid('over-subscribed code');
    limit[length] = code - 1;
    code <<= 1;
  }
  return { limit, base, symbols };
};

const readSymbol = (bits: Bits, { limit, base, symbols }: Table): number => {
  let code = 0;
  for (let length = 1; length <= LONGEST_CODE; length += 1) {
    code = (code << 1) | bits.take(1);
    if (code <= (limit[length] ?? -1)) return symbols[code + (base[length] ?? 0)] ?? invalid('no such code');
  }
  return invalid('no such code');
};

const readTables = (bits: Bits, symbols: number) => {
  const groups = bits.take(3);
  if (groups < 2 || groups > 6) invalid('number of tables');
  const count = bits.take(15);
  if (count === 0 || count > SELECTOR_LIMIT) invalid('number of selectors');
  const recent = Array.from({ length: groups }, (_, i) => i);
  const selectors = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) {
    let place = 0;
    while (bits.take(1) === 1) if (++place >= groups) invalid('selector');
    const [table = 0] = recent.splice(place, 1);
    recent.unshift(table);
    selectors[i] = table;
  }
  const tables = recent.map(() => {
    const lengths = new Uint8Array(symbols);
    let length = bits.take(5);
    for (let i = 0; i < symbols; i += 1) {
      for (;;) {
        if (length < 1 || length > LONGEST_CODE) invalid('code length');
        if (bits.take(1) === 0) break;
        length += bits.take(1) === 0 ? 1 : -1;
      }
      lengths[i] = length;
    }
    return buildTable(lengths);
  });
  return { selectors, tables };
};

/** The bytes that occur in a block. */
const readAlphabet = (bits: Bits): number[] => {
  const rows = bits.take(16);
  const used: number[] = [];
  for (let row = 0; row < 16; row += 1) {
    if ((rows & (0x8000 >>> row)) === 0) continue;
    const columns = bits.take(16);
    for (let column = 0; column < 16; column += 1)
      if ((columns & (0x8000 >>> column)) !== 0) used.push(row * 16 + column);
  }
  return used.length === 0 ? invalid('a block of no bytes') : used;
};

/** Undoes Huffman, move-to-front and run lengths of zeros; returns how many bytes are in `block`. */
const readBlock = (bits: Bits, block: Uint32Array): number => {
  const front = readAlphabet(bits);
  const end = front.length + 1;
  const { selectors, tables } = readTables(bits, front.length + 2);
  let length = 0;
  let run = 0;
  let weight = 1;
  let left = 0;
  let group = 0;
  let table = tables[0];
  for (;;) {
    if (left === 0) {
      if (group >= selectors.length) invalid('too few selectors');
      table = tables[selectors[group] ?? 0];
      group += 1;
      left = GROUP;
    }
    left -= 1;
    const symbol = table === undefined ? invalid('no table') : readSymbol(bits, table);
    if (symbol <= 1) {
      run += weight << symbol;
      weight <<= 1;
      if (run > block.length) invalid('run beyond the block');
      continue;
    }
    if (run > 0) {
      if (length + run > block.length) invalid('block is too long');
      block.fill(front[0] ?? 0, length, length + run);
      length += run;
      run = 0;
    }
    weight = 1;
    if (symbol === end) return length;
    if (length >= block.length) invalid('block is too long');
    const [byte = 0] = front.splice(symbol - 1, 1);
    front.unshift(byte);
    block[length] = byte;
    length += 1;
  }
};

/** Undoes the Burrows-Wheeler transform and the first run lengths, into the sink. */
const unsort = (block: Uint32Array, length: number, origin: number, sink: Sink): void => {
  if (origin >= length) invalid('origin outside the block');
  const starts = new Uint32Array(257);
  for (let i = 0; i < length; i += 1)
    starts[((block[i] ?? 0) & 255) + 1] = (starts[((block[i] ?? 0) & 255) + 1] ?? 0) + 1;
  for (let i = 1; i < 257; i += 1) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  for (let i = 0; i < length; i += 1) {
    const byte = (block[i] ?? 0) & 255;
    const place = starts[byte] ?? 0;
    starts[byte] = place + 1;
    block[place] = (block[place] ?? 0) | (i << 8);
  }
  let at = (block[origin] ?? 0) >>> 8;
  let before = -1;
  let same = 0;
  for (let i = 0; i < length; i += 1) {
    const entry = block[at] ?? 0;
    const byte = entry & 255;
    at = entry >>> 8;
    if (same === 4) {
      sink.reserve(byte);
      sink.bytes.fill(before, sink.length, sink.length + byte);
      sink.length += byte;
      same = 0;
      before = -1;
      continue;
    }
    same = byte === before ? same + 1 : 1;
    before = byte;
    if (sink.length === sink.bytes.length) sink.reserve(1);
    sink.bytes[sink.length++] = byte;
  }
};

/** One stream; the input then stands behind it. */
export const bzip2Stream = (input: ByteReader, sink: Sink): void => {
  const bits = createBits(input);
  if (bits.u24() !== 0x425a68) invalid('no header');
  const level = bits.take(8) - 0x30;
  if (level < 1 || level > 9) invalid('no level');
  const block = new Uint32Array(level * 100_000);
  let combined = 0;
  for (;;) {
    const kind = bits.u24() * 0x1000000 + bits.u24();
    const crc = bits.u32();
    if (kind === 0x177245385090) {
      if (crc !== combined) invalid('the checksum is wrong');
      bits.align();
      return;
    }
    if (kind !== 0x314159265359) invalid('no block where one belongs');
    if (bits.take(1) === 1) invalid('randomised blocks are obsolete');
    const origin = bits.u24();
    const begin = sink.length;
    unsort(block, readBlock(bits, block), origin, sink);
    if (checksum(sink.bytes.subarray(begin, sink.length)) !== crc) invalid('the checksum of a block is wrong');
    combined = (((combined << 1) | (combined >>> 31)) ^ crc) >>> 0;
  }
};

const MAGIC = [0x42, 0x5a, 0x68];

export const bzip2 = compressedFormat({
  name: 'bzip2',
  title: 'bzip2',
  begins: [0x42],
  recognisedBy: 'The text BZh and a level.',
  checks: 'Every stream, its blocks and their checksums, nothing behind the last; the content is inspected.',
  references: ['bzip2 1.0.8 manual', 'bzip2 format specification (J. Tsai, 2016)'],
  recognise: (head) => MAGIC.every((byte, i) => head[i] === byte) && (head[3] ?? 0) >= 0x31 && (head[3] ?? 0) <= 0x39,
  decode: bzip2Stream,
  another: (input) => {
    const at = input.position;
    const more = MAGIC.every((byte) => input.poll() === byte);
    input.position = at;
    return more;
  },
  padding: false,
});
