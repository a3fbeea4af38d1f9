import { lanes, shown } from '../digest.ts';

/** A floating-point type: IEEE 754, bfloat16, and the 8-bit floats of OCP (of E4M3 all bits set is the only undefined number). */
export type Float = {
  readonly bytes: 1 | 2 | 4 | 8;
  /** Bits of the mantissa, and what is added to the exponent. */
  readonly mantissa: number;
  readonly bias: number;
  /** The smallest top word (without its sign) that is no finite number; a wider element is judged by its top 32 bits. */
  readonly endless: number;
};

export const FLOATS: ReadonlyMap<string, Float> = new Map([
  ['F16', { bytes: 2, mantissa: 10, bias: 15, endless: 0x7c00 }],
  ['BF16', { bytes: 2, mantissa: 7, bias: 127, endless: 0x7f80 }],
  ['F32', { bytes: 4, mantissa: 23, bias: 127, endless: 0x7f800000 }],
  ['F64', { bytes: 8, mantissa: 52, bias: 1023, endless: 0x7ff00000 }],
  ['F8_E5M2', { bytes: 1, mantissa: 2, bias: 15, endless: 0x7c }],
  ['F8_E4M3', { bytes: 1, mantissa: 3, bias: 7, endless: 0x7f }],
]);

/** Elements as whole words, for tight loops; `step` words make an element, of which the last is the top one. */
export type Words = { readonly words: Uint8Array | Uint16Array | Uint32Array; readonly step: number };

/** The words of little-endian elements. The bytes are copied: theirs may not begin where a word may. */
export const wordsOf = (bytes: Uint8Array, { bytes: width }: Float): Words => {
  const { buffer } = bytes.slice();
  if (width === 1) return { words: new Uint8Array(buffer), step: 1 };
  if (width === 2) return { words: new Uint16Array(buffer), step: 1 };
  return { words: new Uint32Array(buffer), step: width / 4 };
};

/** The first element whose magnitude is at least the finite `limit`, and the first that is not finite; -1 for none. */
export const oddIn = ({ words, step }: Words, float: Float, limit: number): { endless: number; huge: number } => {
  const sign = float.bytes === 1 ? 0x7f : float.bytes === 2 ? 0x7fff : 0x7fffffff;
  const least = Math.min(float.endless, limit);
  let [endless, huge] = [-1, -1];
  for (let at = step - 1; at < words.length; at += step) {
    const magnitude = (words[at] ?? 0) & sign;
    if (magnitude < least) continue;
    if (magnitude >= float.endless) endless = endless < 0 ? (at - step + 1) / step : endless;
    else huge = huge < 0 ? (at - step + 1) / step : huge;
  }
  return { endless, huge };
};

/** The top word of 2^`exponent`; beyond every finite number where the type does not reach that far. */
export const powerOfTwo = (exponent: number, { bytes, mantissa, bias }: Float): number =>
  (exponent + bias) * 2 ** (bytes === 8 ? mantissa - 32 : mantissa);

/** The element at `index` as a number. */
export const numberAt = (words: Words, index: number, { bytes, mantissa, bias, endless }: Float): number => {
  if (bytes === 8) return new Float64Array(words.words.buffer)[index] ?? 0;
  const word = words.words[index] ?? 0;
  const bits = bytes * 8;
  const magnitude = word % 2 ** (bits - 1);
  const sign = word >= 2 ** (bits - 1) ? -1 : 1;
  if (magnitude >= endless)
    return magnitude === endless && mantissa !== 3 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const exponent = Math.floor(magnitude / 2 ** mantissa);
  const fraction = (magnitude % 2 ** mantissa) / 2 ** mantissa;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
};

/** True when every element is the same. */
export const isConstant = ({ words, step }: Words): boolean => {
  for (let at = step; at < words.length; at++) if (words[at] !== words[at - step]) return false;
  return true;
};

/** Words of a long sample that its digest leaves out between two: an edit or a training step changes them all alike. */
const STRIDE = 4;
const FEW = 512;

/** A digest of the elements as 32-bit words, to tell samples apart. */
export const sampleDigest = ({ words }: Words): string => {
  const whole = words.byteLength % 4 === 0 ? new Uint32Array(words.buffer) : words;
  // Written out: this loop runs in code that is not compiled yet, where a call for each word takes most of its time.
  let { first, second } = lanes();
  for (let at = whole.length > FEW ? STRIDE - 1 : 0; at < whole.length; at += whole.length > FEW ? STRIDE : 1) {
    const word = whole[at] ?? 0;
    first = Math.imul(first ^ word, 0x01000193);
    second = Math.imul(second + word, 0x85ebca6b) ^ (second >>> 13);
  }
  return shown({ first, second });
};

/** Root of the mean square of the finite elements. */
export const rms = (words: Words, float: Float, elements: number): number => {
  let [sum, count] = [0, 0];
  for (let at = 0; at < elements; at++) {
    const value = numberAt(words, at, float);
    if (!Number.isFinite(value)) continue;
    sum += value * value;
    count += 1;
  }
  return count === 0 ? 0 : Math.sqrt(sum / count);
};
