import { KIB } from '../../bytes/limits.ts';
import { type RandomAccess, sampleOf } from '../../bytes/random-access.ts';
import { type Context, type Json, printable } from '../format.ts';
import { type Pair, pairsOf, type Update, weighUpdates } from './adapter.ts';
import { choose, thinned } from './choose.ts';
import {
  FLOATS,
  type Float,
  isConstant,
  numberAt,
  oddIn,
  powerOfTwo,
  rms,
  sampleDigest,
  type Words,
  wordsOf,
} from './floats.ts';
import type { Described } from './structure.ts';

/**
 * Bytes looked at in all: 4 KiB of each tensor, a row or more of most. Code that is not compiled yet looks at some 20 KiB in a
 * millisecond, and the odd numbers of a damaged layer are everywhere in it.
 */
const TOTAL_SAMPLE = 128 * KIB;
/** Tensors looked at: each costs a read of its own. */
const TENSORS_SAMPLED = 32;
/** Tensors of an adapter looked at: one layer that stands out shows only beside the others. */
const ADAPTER_SAMPLED = 128;
/**
 * Elements of a tensor from which on its sample begins half as far inside: first rows are those of padding and control
 * tokens, which training leaves alone. Counted from the start, so that a longer vocabulary does not move it.
 */
const LARGE = 1 << 20;
/** Equal elements of a matrix from which it counts as constant: biases and norms begin as zeros and ones. */
const CONSTANT_ELEMENTS = 512;
/** A power of two that trained weights stay far below; masks and position buffers do not. */
const ABSURD_EXPONENT = 20;
/**
 * Numbers of each sample that the report repeats, to tell how far two files are apart where they differ, spread over as
 * many elements as a sample of any type has.
 */
const NUMBERS = 8;
const SPREAD = TOTAL_SAMPLE / TENSORS_SAMPLED / 8;
/** Characters of a tensor's name in the report. */
const NAME = 120;

/** A tensor and where its bytes begin and end in the file. */
export type Placed = Described & { readonly start: number; readonly end: number };

/** What was odd: how many tensors show it, and the first of them. */
type Odd = { tensors: number; name: string; offset: number };
type Seen = { readonly nonFinite: Odd; readonly constant: Odd; readonly magnitude: Odd };

/** A tensor's sample as it was read. */
type Sample = {
  readonly tensor: Placed;
  readonly float: Float;
  readonly words: Words;
  readonly elements: number;
  readonly at: number;
};

/**
 * Looks at some values of some tensors of every part of the network, and reports (as information only: honest models have
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
  const pairs = thinned(pairsOf(floats), ADAPTER_SAMPLED / 2);
  const chosen = pairs.length > 0 ? pairs.flatMap(({ down, up }) => [down, up]) : choose(floats, TENSORS_SAMPLED);
  const limit = TOTAL_SAMPLE / (pairs.length > 0 ? ADAPTER_SAMPLED : TENSORS_SAMPLED);
  const samples = chosen.toSorted((a, b) => a.start - b.start).flatMap((tensor) => sampleFrom(source, tensor, limit));
  context.budget.spend('steps', tensors.length + samples.length);

  const seen: Seen = { nonFinite: nothing(), constant: nothing(), magnitude: nothing() };
  for (const sample of samples) look(sample, seen);
  const bytes = samples.reduce((total, { elements, float }) => total + elements * float.bytes, 0);
  const size = floats.reduce((total, { start, end }) => total + end - start, 0);
  const updates = pairs.length > 0 ? measure(pairs, samples, context) : undefined;
  return {
    sampled: { tensors: samples.length, of: floats.length, bytes },
    ...(updates === undefined ? { samples: samples.map(tell) } : { updates }),
    assessment: told(seen, samples.length, bytes, size, context),
  };
};

/** What can be said of weights whose values were not read. */
export const UNREAD = 'no static evidence of poisoning; confidence: none, only the structure was read';

const nothing = (): Odd => ({ tensors: 0, name: '', offset: 0 });

const sampleFrom = (source: RandomAccess, tensor: Placed, limit: number): readonly Sample[] => {
  const float = FLOATS.get(tensor.dtype);
  if (float === undefined) return [];
  const at = tensor.elements >= LARGE ? tensor.start + (LARGE / 2) * float.bytes : tensor.start;
  const elements = Math.floor(Math.min(tensor.end - at, limit) / float.bytes);
  if (elements < 1) return [];
  const words = wordsOf(sampleOf(source, at, elements * float.bytes), float);
  return [{ tensor, float, words, elements, at }];
};

const look = ({ tensor, float, words, elements, at }: Sample, seen: Seen): void => {
  const { endless, huge } = oddIn(words, float, powerOfTwo(ABSURD_EXPONENT, float));
  if (endless >= 0) note(seen.nonFinite, tensor, at + endless * float.bytes);
  if (huge >= 0) note(seen.magnitude, tensor, at + huge * float.bytes);
  if (tensor.shape.length >= 2 && elements >= CONSTANT_ELEMENTS && isConstant(words)) note(seen.constant, tensor, at);
};

const note = (odd: Odd, { name }: Placed, offset: number): void => {
  if (odd.tensors === 0) Object.assign(odd, { name, offset });
  odd.tensors += 1;
};

/** A sample as the report repeats it, for comparisons: its digest, and numbers spread over it. */
const tell = ({ tensor: { name, dtype }, float, words, elements }: Sample): Json => {
  const spread = Math.min(elements, SPREAD);
  const count = Math.min(NUMBERS, spread);
  const numbers = Array.from({ length: count }, (_, at) => numberAt(words, Math.floor((at * spread) / count), float));
  return {
    name: printable(name, NAME),
    dtype,
    elements,
    digest: sampleDigest(words),
    numbers: numbers.map((value) => (Number.isFinite(value) ? Number(value.toPrecision(6)) : null)),
  };
};

/** How much each adapted module is changed, as far as the samples of its two matrices tell. */
const measure = (pairs: readonly Pair<Placed>[], samples: readonly Sample[], context: Context): Json => {
  const sizes = new Map(samples.map(({ tensor, words, float, elements }) => [tensor, rms(words, float, elements)]));
  const updates: Update[] = pairs.map(({ module, down, up }) => ({
    module,
    size: (sizes.get(down) ?? 0) * (sizes.get(up) ?? 0) * Math.sqrt(down.shape[0] ?? 1),
  }));
  const weighed = weighUpdates(updates);
  const [worst] = weighed?.outliers ?? [];
  if (worst !== undefined) {
    const offset = pairs.find(({ module }) => printable(module, NAME) === worst.module)?.up.start ?? 0;
    const message = `${weighed?.outliers.length} of ${pairs.length} adapted modules measured are changed far more than the others, up to ${worst.times} times the median; low confidence that it means harm, values were sampled`;
    context.report({ rule: 'weights.adapter-outlier', severity: 'info', message, offset, evidence: worst.module });
  }
  return weighed?.told ?? {};
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
