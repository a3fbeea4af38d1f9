import { within } from '../../bytes/limits.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import type { Sink } from '../archive/sink.ts';
import { type Bits, createBits, invalid, type Prefix, readNumber, readPrefix } from './codes.ts';
import { wordOf } from './words.ts';

type Range = readonly [base: number, bits: number];
/** Ranges that follow each other from `base` on, by how many extra bits each has. */
const rangesFrom = (base: number, bits: readonly number[]): readonly Range[] => {
  let next = base;
  return bits.map((extra) => {
    const range = [next, extra] as const;
    next += 2 ** extra;
    return range;
  });
};
/** Lengths of blocks, of what is inserted and of what is copied (RFC 7932, sections 5 and 6). */
const BLOCKS = rangesFrom(1, [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 24]);
const INSERTS = rangesFrom(0, [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 12, 14, 24]);
const COPIES = rangesFrom(2, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 24]);
/** Where the codes of each 64 commands begin: of what is inserted, of what is copied. */
const CELLS = [0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 8, 8, 0, 16, 16, 0, 8, 16, 16, 8, 16, 16];
/** Commands below this copy from where the last copy came from. */
const SAME_DISTANCE = 128;
/** Sizes of the alphabets of commands, literals, and of distances without those that a stream adds. */
const [COMMANDS, LITERALS, DISTANCES] = [704, 256, 16];
/** Contexts of a literal and of a distance. */
const [LITERAL_CONTEXTS, DISTANCE_CONTEXTS] = [64, 4];
/** Meta-blocks of one stream: each may bring some hundred codes that cost time to build. Encoders end one at 64 KiB or later. */
const META_BLOCKS = 10_000;
/** Elements of the only block of a kind. */
const ENDLESS = 2 ** 24;

const rangeAt = ({ take }: Bits, ranges: readonly Range[], code: number): number => {
  const [base, extra] = ranges[code] ?? invalid('no such length');
  return base + take(extra);
};

/** The classes of letters by which a literal's context is told (RFC 7932, 7.1): how often each value stands. */
const table = (runs: string): Uint8Array =>
  Uint8Array.from(
    runs.split(' ').flatMap((run) => {
      const [value = 0, times = 1] = run.split('x').map(Number);
      return Array.from({ length: times }, () => value);
    }),
  );
const ASCII =
  '0x9 4x2 0x2 4 0x18 8 12 16 12x2 20 12 16 24 28 12x2 32 12 36 12 44x10 32x2 24 40 28 12x2 48 52x3 48 52x3 48 52x5 48 52x5 48 52x5 24 12 28 12x3 56 60x3 56 60x3 56 60x5 56 60x5 56 60x5 24 12 28 12 0';
const LAST = table(`${ASCII} ${'0 1 '.repeat(32)}${'2 3 '.repeat(32).trim()}`);
const BEFORE_LAST = table('0x33 1x15 2x10 1x7 2x26 1x6 3x26 1x4 0x97 2x32');
const SIGNED = table('0 1x15 2x48 3x64 4x64 5x48 6x15 7');

const contextOf = (mode: number, last = 0, beforeLast = 0): number => {
  if (mode === 0) return last & 63;
  if (mode === 1) return last >>> 2;
  if (mode === 2) return (LAST[last] ?? 0) | (BEFORE_LAST[beforeLast] ?? 0);
  return ((SIGNED[last] ?? 0) << 3) | (SIGNED[beforeLast] ?? 0);
};

/** Blocks of one kind: which type is in force, and for how many elements more. */
type Blocks = { readonly types: number; type: number; left: number; readonly next: () => void };

const readBlocks = (bits: Bits): Blocks => {
  const types = readNumber(bits);
  if (types === 1) return { types, type: 0, left: ENDLESS, next: () => invalid('a block without an end') };
  const [kinds, lengths] = [readPrefix(bits, types + 2), readPrefix(bits, BLOCKS.length)];
  let before = 1;
  const blocks: Blocks = {
    types,
    type: 0,
    left: rangeAt(bits, BLOCKS, bits.symbol(lengths)),
    next() {
      const code = bits.symbol(kinds);
      const type = code === 0 ? before : code === 1 ? (blocks.type + 1) % types : code - 2;
      before = blocks.type;
      blocks.type = type;
      blocks.left = rangeAt(bits, BLOCKS, bits.symbol(lengths));
    },
  };
  return blocks;
};

const count = (blocks: Blocks): number => {
  if (blocks.left === 0) blocks.next();
  blocks.left -= 1;
  return blocks.type;
};

/** Which tree each context uses (RFC 7932, 7.3). */
const readMap = (bits: Bits, size: number): { readonly trees: number; readonly map: Uint8Array } => {
  const trees = readNumber(bits);
  const map = new Uint8Array(size);
  if (trees === 1) return { trees, map };
  const runs = bits.take(1) === 0 ? 0 : bits.take(4) + 1;
  const code = readPrefix(bits, trees + runs);
  for (let at = 0; at < size; ) {
    const symbol = bits.symbol(code);
    const zeros = symbol > 0 && symbol <= runs ? (1 << symbol) + bits.take(symbol) : 0;
    if (zeros === 0) map[at++] = symbol === 0 ? 0 : symbol - runs;
    else at += zeros;
    if (at > size) invalid('a map that is too long');
  }
  if (bits.take(1) === 1) moveToFront(map);
  return { trees, map };
};

const moveToFront = (map: Uint8Array): void => {
  const values = Array.from({ length: 256 }, (_, index) => index);
  for (const [at, index] of map.entries()) {
    const [value = 0] = values.splice(index, 1);
    values.unshift(value);
    map[at] = value;
  }
};

type Stream = {
  readonly bits: Bits;
  readonly sink: Sink;
  readonly begin: number;
  readonly window: number;
  readonly ring: number[];
};

/** Decompresses one Brotli stream (RFC 7932) from `input` into `sink`; the input then stands behind it. */
export const decodeBrotli = (input: ByteReader, sink: Sink): void => {
  const bits = createBits(input);
  const stream: Stream = { bits, sink, begin: sink.length, window: 2 ** readWindow(bits) - 16, ring: [4, 11, 15, 16] };
  for (let [last, blocks] = [false, 1]; !last; blocks++) {
    within('Brotli meta-blocks', blocks, META_BLOCKS);
    last = bits.take(1) === 1;
    if (last && bits.take(1) === 1) break;
    const nibbles = bits.take(2) + 4;
    if (nibbles === 7) {
      if (bits.take(1) === 1 || bits.take(2) > 0) invalid('bytes that decoders leave out');
      bits.align();
      continue;
    }
    const high = [0, 4, 8][nibbles - 4] ?? 0;
    const length = bits.take(16) + bits.take(high) * 2 ** 16 + 1;
    if (high > 0 && length - 1 < 2 ** (12 + high)) invalid('a length that is longer than needed');
    if (!last && bits.take(1) === 1) {
      bits.align();
      sink.append(input.bytes(length));
    } else decodeBlock(stream, length);
  }
  bits.align();
};

const readWindow = ({ take }: Bits): number => {
  if (take(1) === 0) return 16;
  const large = take(3);
  if (large > 0) return 17 + large;
  const small = take(3);
  return small === 0 ? 17 : small === 1 ? invalid('a window of another kind') : 8 + small;
};

const decodeBlock = ({ bits, sink, begin, window, ring }: Stream, length: number): void => {
  const [literals, commands, distances] = [readBlocks(bits), readBlocks(bits), readBlocks(bits)];
  const postfix = bits.take(2);
  const direct = bits.take(4) << postfix;
  const modes = Array.from({ length: literals.types }, () => bits.take(2));
  const literalMap = readMap(bits, LITERAL_CONTEXTS * literals.types);
  const distanceMap = readMap(bits, DISTANCE_CONTEXTS * distances.types);
  const read = (trees: number, size: number): readonly Prefix[] =>
    Array.from({ length: trees }, () => readPrefix(bits, size));
  const literalCodes = read(literalMap.trees, LITERALS);
  const commandCodes = read(commands.types, COMMANDS);
  const distanceCodes = read(distanceMap.trees, DISTANCES + direct + (48 << postfix));
  const symbol = (codes: readonly Prefix[], tree = 0): number => bits.symbol(codes[tree] ?? invalid('no such tree'));
  const end = sink.length + length;
  sink.reserve(length);

  const literal = (): void => {
    const type = count(literals);
    const [last, beforeLast] = [
      sink.length > begin ? sink.bytes[sink.length - 1] : 0,
      sink.length > begin + 1 ? sink.bytes[sink.length - 2] : 0,
    ];
    const context = contextOf(modes[type] ?? 0, last, beforeLast);
    sink.bytes[sink.length++] = symbol(literalCodes, literalMap.map[LITERAL_CONTEXTS * type + context]);
  };
  const distanceFor = (code: number): number => {
    if (code < DISTANCES) return nearby(ring, code);
    if (code < DISTANCES + direct) return code - DISTANCES + 1;
    const rest = code - direct - DISTANCES;
    const extra = 1 + (rest >> (postfix + 1));
    const offset = (2 + ((rest >> postfix) & 1)) * 2 ** extra - 4 + bits.take(extra);
    return offset * 2 ** postfix + (rest & ((1 << postfix) - 1)) + direct + 1;
  };

  while (sink.length < end) {
    const command = symbol(commandCodes, count(commands));
    const cell = 2 * (command >> 6);
    const inserts = rangeAt(bits, INSERTS, (CELLS[cell] ?? 0) + ((command >> 3) & 7));
    const copies = rangeAt(bits, COPIES, (CELLS[cell + 1] ?? 0) + (command & 7));
    if (inserts > end - sink.length) invalid('more letters than there is room for');
    for (let letters = 0; letters < inserts; letters++) literal();
    if (sink.length === end) return;
    let code = 0;
    if (command >= SAME_DISTANCE) {
      const context = DISTANCE_CONTEXTS * count(distances) + Math.min(copies, 5) - 2;
      code = symbol(distanceCodes, distanceMap.map[context]);
    }
    const distance = distanceFor(code);
    const most = Math.min(window, sink.length - begin);
    if (distance <= 0) invalid('a copy from nowhere');
    const word = distance > most ? wordOf(copies, distance - most - 1) : undefined;
    if ((word?.length ?? copies) > end - sink.length) invalid('a copy that is too long');
    if (word !== undefined) {
      sink.append(word);
      continue;
    }
    sink.repeat(distance, copies);
    if (code > 0) {
      ring.pop();
      ring.unshift(distance);
    }
  }
};

/** The last four distances, and those next to the last two (RFC 7932, section 4). */
const nearby = (ring: readonly number[], code: number): number => {
  if (code < 4) return ring[code] ?? 0;
  const step = (((code - 4) % 6) >> 1) + 1;
  return (ring[code < 10 ? 0 : 1] ?? 0) + (code % 2 === 0 ? -step : step);
};
