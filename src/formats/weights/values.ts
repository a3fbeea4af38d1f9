import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Context, type Json, printable } from '../format.ts';
import type { Described } from './structure.ts';

/** Bytes looked at of one tensor, from its start. */
const TENSOR_SAMPLE = 8 * KIB;
/** Tensors looked at, spread evenly over the file: each may cost a read of its own. */
const TENSORS_SAMPLED = 32;
/** Bytes looked at in all. */
const TOTAL_SAMPLE = 256 * KIB;
/** Equal elements of a matrix from which it counts as constant: biases and norms begin as zeros and ones. */
const CONSTANT_ELEMENTS = 1024;
/** A power of two that trained weights stay far below; masks and position buffers do not. */
const ABSURD_EXPONENT = 20;

/** Where the exponent of a little-endian float stands: in its last bytes (at most four), above `shift` bits. */
type Float = {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly shift: number;
  readonly mask: number;
  readonly bias: number;
};

/** IEEE 754, bfloat16, and the 8-bit floats of OCP (of E4M3 all bits set is the only undefined number). */
const FLOATS: ReadonlyMap<string, Float> = new Map([
  ['F16', { bytes: 2, shift: 10, mask: 0x1f, bias: 15 }],
  ['BF16', { bytes: 2, shift: 7, mask: 0xff, bias: 127 }],
  ['F32', { bytes: 4, shift: 23, mask: 0xff, bias: 127 }],
  ['F64', { bytes: 8, shift: 20, mask: 0x7ff, bias: 1023 }],
  ['F8_E5M2', { bytes: 1, shift: 2, mask: 0x1f, bias: 15 }],
  ['F8_E4M3', { bytes: 1, shift: 0, mask: 0x7f, bias: 127 }],
]);

/** A tensor and where its bytes begin and end in the file. */
export type Placed = Described & { readonly start: number; readonly end: number };

/** What was odd: how many tensors show it, and the first of them. */
type Odd = { tensors: number; name: string; offset: number };
type Seen = { readonly nonFinite: Odd; readonly constant: Odd; readonly magnitude: Odd };

/**
 * Looks at the first values of some tensors, spread over the file, and reports (as information only: honest models have
 * them too) infinite and undefined numbers, matrices of one number, and absurd magnitudes. Returns what was looked at
 * and what that says about poisoning, for the report. Of a remote file no value is read.
 */
export const examineValues = (
  source: RandomAccess,
  tensors: readonly Placed[],
  context: Context,
): { [key: string]: Json } => {
  if (context.provisional) return { assessment: UNREAD };
  const floats = tensors.filter(({ dtype, start, end }) => FLOATS.has(dtype) && end > start);
  const seen: Seen = { nonFinite: nothing(), constant: nothing(), magnitude: nothing() };
  let [count, bytes] = [0, 0];
  for (const tensor of spread(floats)) {
    const float = FLOATS.get(tensor.dtype);
    const length = Math.min(tensor.end - tensor.start, TENSOR_SAMPLE, TOTAL_SAMPLE - bytes);
    if (float === undefined || length < float.bytes) continue;
    look(source.read(tensor.start, length - (length % float.bytes)), float, tensor, seen);
    count += 1;
    bytes += length;
  }
  context.budget.spend('steps', count);
  const size = floats.reduce((total, { start, end }) => total + end - start, 0);
  return { sampled: { tensors: count, of: floats.length, bytes }, assessment: told(seen, count, bytes, size, context) };
};

/** What can be said of weights whose values were not read. */
export const UNREAD = 'no static evidence of poisoning; confidence: none, only the structure was read';

const nothing = (): Odd => ({ tensors: 0, name: '', offset: 0 });

/** As many tensors as are looked at, the first and the last among them. */
const spread = <T>(tensors: readonly T[]): readonly T[] => {
  if (tensors.length <= TENSORS_SAMPLED) return tensors;
  const step = (tensors.length - 1) / (TENSORS_SAMPLED - 1);
  return Array.from({ length: TENSORS_SAMPLED }, (_, at) => tensors[Math.round(at * step)]).filter(
    (tensor) => tensor !== undefined,
  );
};

const look = (bytes: Uint8Array, float: Float, tensor: Placed, seen: Seen): void => {
  const { shift, mask, bias } = float;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [nonFinite, huge] = [-1, -1];
  for (let at = 0; at < bytes.length; at += float.bytes) {
    const exponent = (topWord(view, at, float.bytes) >>> shift) & mask;
    if (exponent === mask) nonFinite = nonFinite < 0 ? at : nonFinite;
    else if (exponent - bias >= ABSURD_EXPONENT) huge = huge < 0 ? at : huge;
  }
  if (nonFinite >= 0) note(seen.nonFinite, tensor, nonFinite);
  if (huge >= 0) note(seen.magnitude, tensor, huge);
  if (tensor.shape.length >= 2 && isConstant(bytes, float.bytes)) note(seen.constant, tensor, 0);
};

const topWord = (view: DataView, at: number, bytes: Float['bytes']): number => {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true);
  return view.getUint32(at + bytes - 4, true);
};

const isConstant = (bytes: Uint8Array, width: number): boolean =>
  bytes.length / width >= CONSTANT_ELEMENTS && bytes.every((byte, at) => byte === bytes[at % width]);

const note = (odd: Odd, { name, start }: Placed, at: number): void => {
  if (odd.tensors === 0) Object.assign(odd, { name, offset: start + at });
  odd.tensors += 1;
};

/** Reports what was odd and says in one sentence what it is worth. */
const told = (seen: Seen, count: number, bytes: number, size: number, context: Context): string => {
  const whole = bytes === size;
  const sample = whole ? `all ${bytes} bytes of floats were read` : `${bytes} of ${size} bytes of floats were read`;
  const report = (rule: string, { tensors, name, offset }: Odd, what: string): number => {
    if (tensors === 0) return 0;
    const message = `${tensors} of ${count} tensors looked at ${what}; low confidence that it means harm, ${sample}`;
    context.report({ rule, severity: 'info', message, offset, evidence: printable(name) });
    return 1;
  };
  const odd =
    report('weights.non-finite', seen.nonFinite, 'hold infinite or undefined numbers') +
    report('weights.constant', seen.constant, 'hold one number only') +
    report('weights.magnitude', seen.magnitude, `hold numbers of 2^${ABSURD_EXPONENT} or more`);
  if (odd > 0) return `weak static evidence of damage; confidence: low, ${sample}`;
  return `no static evidence of poisoning; confidence: low, ${sample}`;
};
