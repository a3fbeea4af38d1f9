import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import type { Sink } from '../archive/sink.ts';

/*
 * The LZMA decoder of the LZMA specification (I. Pavlov, lzma-specification.txt, public domain), with its state kept
 * between calls as LZMA2 needs it.
 */

const STATES = 12;
const POSITION_STATES = 16;
const HALF = 1024;
const TOP = 2 ** 24;
const LENGTH_STATES = 4;
const END_MODEL = 14;
const FULL_DISTANCES = 128;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `lzma: ${message}`);
};

const chances = (count: number): Uint16Array => new Uint16Array(count).fill(HALF);

type LengthModel = { choice: Uint16Array; low: Uint16Array; middle: Uint16Array; high: Uint16Array };
const lengthModel = (): LengthModel => ({
  choice: chances(2),
  low: chances(POSITION_STATES * 8),
  middle: chances(POSITION_STATES * 8),
  high: chances(256),
});

/** lc + lp beyond this is refused by liblzma; each step doubles the literal tables. */
export const LITERAL_BITS = 4;

export type LzmaProperties = { readonly lc: number; readonly lp: number; readonly pb: number };

/** The three parameters that one byte holds; throws FORMAT_INVALID when it holds none. */
export const propertiesOf = (byte: number): LzmaProperties => {
  if (byte >= 9 * 5 * 5) invalid('properties');
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) };
};

export type LzmaDecoder = {
  /** Forgets everything but the output. */
  resetState(properties: LzmaProperties): void;
  /** Forgets the probabilities, keeps the properties. */
  resetChances(): void;
  /** Copies reach back to here from now on. */
  resetDictionary(): void;
  /** Begins a range-coded run at the input's position. */
  begin(): void;
  /** Decodes until `size` more bytes are written (exactly), or until the end marker, which is allowed when `marked`. */
  decode(size: number, marked: boolean): 'size' | 'marker';
  /** True when the range coder ended as it must. */
  atEnd(): boolean;
};

/** A decoder from `input` into `sink`; `dictionarySize` bounds how far copies reach back. */
export const createLzmaDecoder = (input: ByteReader, sink: Sink, dictionarySize: number): LzmaDecoder => {
  let range = 0;
  let code = 0;
  let lc = 0;
  let literalMask = 0;
  let positionMask = 0;
  let state = 0;
  let rep0 = 0;
  let rep1 = 0;
  let rep2 = 0;
  let rep3 = 0;
  let start = sink.length;
  let literal = chances(0);
  let isMatch = chances(0);
  let isRep = chances(0);
  let isRepG0 = chances(0);
  let isRepG1 = chances(0);
  let isRepG2 = chances(0);
  let isRep0Long = chances(0);
  let slots = chances(0);
  let special = chances(0);
  let align = chances(0);
  let matchLength = lengthModel();
  let repLength = lengthModel();

  const bit = (model: Uint16Array, index: number): number => {
    const chance = model[index] ?? HALF;
    const bound = (range >>> 11) * chance;
    let value = 0;
    if (code >>> 0 < bound) {
      range = bound;
      model[index] = chance + ((2048 - chance) >>> 5);
    } else {
      range -= bound;
      code = (code - bound) >>> 0;
      model[index] = chance - (chance >>> 5);
      value = 1;
    }
    if (range < TOP) {
      range = (range << 8) >>> 0;
      code = ((code << 8) | input.next()) >>> 0;
    }
    return value;
  };
  const directBits = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      range >>>= 1;
      const one = code >= range ? 1 : 0;
      if (one === 1) code -= range;
      value = value * 2 + one;
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | input.next()) >>> 0;
      }
    }
    return value;
  };
  const tree = (model: Uint16Array, offset: number, bits: number): number => {
    let node = 1;
    for (let i = 0; i < bits; i += 1) node = (node << 1) | bit(model, offset + node);
    return node - (1 << bits);
  };
  const reverseTree = (model: Uint16Array, offset: number, bits: number): number => {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i += 1) {
      const one = bit(model, offset + node);
      node = (node << 1) | one;
      value |= one << i;
    }
    return value;
  };
  const length = (model: LengthModel, place: number): number => {
    if (bit(model.choice, 0) === 0) return tree(model.low, place << 3, 3);
    if (bit(model.choice, 1) === 0) return 8 + tree(model.middle, place << 3, 3);
    return 16 + tree(model.high, 0, 8);
  };
  const readLiteral = () => {
    if (sink.length === sink.bytes.length) sink.reserve(1);
    const { bytes } = sink;
    const before = sink.length > start ? (bytes[sink.length - 1] ?? 0) : 0;
    const context = (((sink.length - start) & literalMask) << lc) + (before >>> (8 - lc));
    const offset = 0x300 * context;
    let symbol = 1;
    if (state >= 7) {
      let match = bytes[sink.length - rep0 - 1] ?? 0;
      while (symbol < 0x100) {
        const matched = (match >>> 7) & 1;
        match <<= 1;
        const one = bit(literal, offset + ((1 + matched) << 8) + symbol);
        symbol = (symbol << 1) | one;
        if (matched !== one) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | bit(literal, offset + symbol);
    bytes[sink.length++] = symbol & 255;
    state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  };
  const readDistance = (count: number): number => {
    const slot = tree(slots, Math.min(count, LENGTH_STATES - 1) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < END_MODEL) return base + reverseTree(special, base - slot, bits);
    return base + directBits(bits - 4) * 16 + reverseTree(align, 0, 4);
  };
  /** Which distance a repeated match takes; true for the one that is a single byte long. */
  const readRepeat = (place: number): boolean => {
    if (bit(isRepG0, state) === 0) return bit(isRep0Long, (state << 4) + place) === 0;
    let distance = rep1;
    if (bit(isRepG1, state) === 1) {
      distance = rep2;
      if (bit(isRepG2, state) === 1) {
        distance = rep3;
        rep3 = rep2;
      }
      rep2 = rep1;
    }
    rep1 = rep0;
    rep0 = distance;
    return false;
  };
  const reachable = () => {
    if (rep0 >= sink.length - start || rep0 >= dictionarySize) invalid('a copy reaches before the start');
  };

  const decoder: LzmaDecoder = {
    resetState(properties) {
      lc = properties.lc;
      literalMask = (1 << properties.lp) - 1;
      positionMask = (1 << properties.pb) - 1;
      literal = chances(0x300 << (properties.lc + properties.lp));
      decoder.resetChances();
    },
    resetChances() {
      state = rep0 = rep1 = rep2 = rep3 = 0;
      literal.fill(HALF);
      isMatch = chances(STATES << 4);
      isRep = chances(STATES);
      isRepG0 = chances(STATES);
      isRepG1 = chances(STATES);
      isRepG2 = chances(STATES);
      isRep0Long = chances(STATES << 4);
      slots = chances(LENGTH_STATES << 6);
      special = chances(FULL_DISTANCES + END_MODEL);
      align = chances(16);
      matchLength = lengthModel();
      repLength = lengthModel();
    },
    resetDictionary() {
      start = sink.length;
    },
    begin() {
      if (input.next() !== 0) invalid('no range coder');
      range = 0xffffffff;
      code = 0;
      for (let i = 0; i < 4; i += 1) code = ((code << 8) | input.next()) >>> 0;
      if (code === range) invalid('no range coder');
    },
    decode(size, marked) {
      const end = sink.length + size;
      while (sink.length < end || (marked && size === Number.POSITIVE_INFINITY)) {
        const place = (sink.length - start) & positionMask;
        if (bit(isMatch, (state << 4) + place) === 0) {
          readLiteral();
          continue;
        }
        let count: number;
        if (bit(isRep, state) === 1) {
          if (sink.length === start) invalid('a copy reaches before the start');
          if (readRepeat(place)) {
            reachable();
            state = state < 7 ? 9 : 11;
            sink.repeat(rep0 + 1, 1);
            continue;
          }
          count = length(repLength, place);
          state = state < 7 ? 8 : 11;
        } else {
          rep3 = rep2;
          rep2 = rep1;
          rep1 = rep0;
          count = length(matchLength, place);
          state = state < 7 ? 7 : 10;
          rep0 = readDistance(count);
          if (rep0 === 0xffffffff) return marked ? 'marker' : invalid('an end marker where none belongs');
        }
        reachable();
        if (count + 2 > end - sink.length) invalid('a copy runs over the size');
        sink.repeat(rep0 + 1, count + 2);
      }
      return 'size';
    },
    atEnd: () => code === 0,
  };
  return decoder;
};
