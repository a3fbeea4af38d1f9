import { createBits } from './bits.ts';
import { createOut, type Out } from './out.ts';
import { repeatsIn } from './repeats.ts';

/** Bytes that one block becomes. */
const BLOCK = 0x20000;
const RAW = 0;
const COMPRESSED = 2;

/** The lengths that codes begin with (RFC 8878, 3.1.1.3.2.1.1), from the first code that has extra bits. */
const LITERALS = [16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const COPIES = [35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539];

/** A code and the bits behind it. */
type Coded = { readonly code: number; readonly extra: number; readonly count: number };

const coded = (value: number, least: number, steps: readonly number[]): Coded => {
  const [first = 0] = steps;
  if (value < first) return { code: value - least, extra: 0, count: 0 };
  let step = steps.length - 1;
  while ((steps[step] ?? 0) > value) step -= 1;
  const base = steps[step] ?? 0;
  const next = steps[step + 1] ?? base * 2;
  return { code: first - least + step, extra: value - base, count: Math.floor(Math.log2(next - base)) };
};

const codedDistance = (distance: number): Coded => {
  // 1 to 3 stand for distances that were met before.
  const value = distance + 3;
  const count = 31 - Math.clz32(value);
  return { code: count, extra: value - 2 ** count, count };
};

/** States of a table of finite state entropy that show a code, each with what may follow it. */
type State = { readonly state: number; readonly base: number; readonly count: number };
type States = { readonly log: number; readonly of: readonly (readonly State[])[] };

/** The table of a distribution (RFC 8878, 4.1.1), turned round: from codes to states. */
const statesOf = (log: number, distribution: readonly number[]): States => {
  const size = 1 << log;
  const codes = new Int16Array(size).fill(-1);
  let high = size - 1;
  for (const [code, share] of distribution.entries()) if (share === -1) codes[high--] = code;
  const step = (size >> 1) + (size >> 3) + 3;
  let place = 0;
  for (const [code, share] of distribution.entries())
    for (let count = 0; count < share; count++) {
      codes[place] = code;
      do place = (place + step) & (size - 1);
      while (place > high);
    }
  const next = distribution.map((share) => Math.abs(share));
  const of: State[][] = distribution.map(() => []);
  for (const [state, code] of codes.entries()) {
    const number = next[code] ?? 0;
    next[code] = number + 1;
    const count = log - (31 - Math.clz32(number));
    of[code]?.push({ state, base: (number << count) - size, count });
  }
  return { log, of };
};

/** The distributions that every decoder knows (RFC 8878, 3.1.1.3.2.2). */
const twos = (count: number): number[] => new Array<number>(count).fill(2);
const ones = (count: number): number[] => new Array<number>(count).fill(1);
const rare = (count: number): number[] => new Array<number>(count).fill(-1);
const OF_LITERALS = statesOf(6, [4, 3, ...twos(11), 1, 1, 1, ...twos(9), 3, 2, ...ones(5), ...rare(4)]);
const OF_COPIES = statesOf(6, [1, 4, 3, ...twos(6), ...ones(37), ...rare(7)]);
const OF_DISTANCES = statesOf(5, [...ones(6), 2, 2, 2, ...ones(15), ...rare(5)]);

type Sequence = { readonly literals: Coded; readonly copy: Coded; readonly distance: Coded };

/** The state of `code` from which a decoder gets to the state `next`; any where nothing follows. */
const before = ({ of }: States, { code }: Coded, next: number | undefined): State => {
  const states = of[code] ?? [];
  const found = states.find(({ base, count }) => next === undefined || (next >= base && next < base + (1 << count)));
  if (found === undefined) throw new RangeError('a code that the distribution lacks');
  return found;
};

/** Sequences as the bits that are read from the end: what is read last is written first. */
const writeSequences = (out: Out, sequences: readonly Sequence[]): void => {
  const { put, flush } = createBits(out.byte);
  let far: number | undefined;
  let long: number | undefined;
  let plain: number | undefined;
  for (const { copy, distance, literals } of sequences.toReversed()) {
    const toFar: State = before(OF_DISTANCES, distance, far);
    const toLong: State = before(OF_COPIES, copy, long);
    const toPlain: State = before(OF_LITERALS, literals, plain);
    if (far !== undefined) put(far - toFar.base, toFar.count);
    if (long !== undefined) put(long - toLong.base, toLong.count);
    if (plain !== undefined) put(plain - toPlain.base, toPlain.count);
    put(literals.extra, literals.count);
    put(copy.extra, copy.count);
    put(distance.extra, distance.count);
    far = toFar.state;
    long = toLong.state;
    plain = toPlain.state;
  }
  put(long ?? 0, OF_COPIES.log);
  put(far ?? 0, OF_DISTANCES.log);
  put(plain ?? 0, OF_LITERALS.log);
  put(1, 1);
  flush();
};

/** A compressed block: literals as they are, sequences with the distributions that every decoder knows. */
const blockOf = (bytes: Uint8Array, start: number, end: number): Uint8Array | undefined => {
  const literals = createOut(end - start);
  const sequences: Sequence[] = [];
  const rest = repeatsIn(bytes, start, end, BLOCK, (from, at, length, distance) => {
    literals.bytes(bytes.subarray(from, at));
    sequences.push({
      literals: coded(at - from, 0, LITERALS),
      copy: coded(length, 3, COPIES),
      distance: codedDistance(distance),
    });
  });
  if (sequences.length === 0) return undefined;
  literals.bytes(bytes.subarray(rest, end));
  const plain = literals.finish();
  const out = createOut(plain.length + 8 * sequences.length + 16);
  // Raw, with its size in twenty bits.
  const size = (plain.length << 4) | (3 << 2);
  for (let shift = 0; shift < 24; shift += 8) out.byte((size >> shift) & 0xff);
  out.bytes(plain);
  const { length } = sequences;
  if (length >= 128) out.byte((length >> 8) + 128);
  out.byte(length & 0xff);
  // Three times: the distribution that every decoder knows.
  out.byte(0);
  writeSequences(out, sequences);
  return out.finish();
};

/** RFC 8878: one segment with its size in eight bytes. */
export const zstd = (out: Out, bytes: Uint8Array): void => {
  out.u32(0xfd2fb528);
  out.byte(0xe0);
  out.u32(bytes.length);
  out.u32(0);
  let at = 0;
  do {
    const end = Math.min(bytes.length, at + BLOCK);
    const packed = blockOf(bytes, at, end);
    const smaller = packed !== undefined && packed.length < end - at;
    const body = smaller ? packed : bytes.subarray(at, end);
    const header = (body.length << 3) | ((smaller ? COMPRESSED : RAW) << 1) | (end === bytes.length ? 1 : 0);
    for (let shift = 0; shift < 24; shift += 8) out.byte((header >> shift) & 0xff);
    out.bytes(body);
    at = end;
  } while (at < bytes.length);
};
