import { fromBytes } from '../../src/bytes/random-access.ts';
import { type Report, SEVERITIES, type Severity } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';

/** Bytes of ASCII or UTF-8 text, or of numbers. */
export const bytes = (...parts: readonly (string | Uint8Array | readonly number[])[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))),
  );

/** The report of `content` with every registered format. */
export const reportOf = (content: Uint8Array | string): Report => inspect(fromBytes(bytes(content)));

/** The worst severity in a report; `info` when there is no finding. */
export const worst = ({ findings }: Report): Severity =>
  findings.reduce<Severity>(
    (a, { severity }) => (SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(a) ? severity : a),
    'info',
  );

/** Rules of a report's findings. */
export const rules = ({ findings }: Report): readonly string[] => findings.map(({ rule }) => rule);

/** True when the default intent is to let the file pass: understood whole, harmless or code, nothing from medium on. */
export const passes = (report: Report): boolean =>
  report.coverage.state === 'complete' &&
  ['inert', 'code', 'tensors', 'data'].includes(report.content) &&
  SEVERITIES.indexOf(worst(report)) < SEVERITIES.indexOf('medium');

/** Every proper prefix of `content`. */
export const truncations = function* (content: Uint8Array): Generator<Uint8Array> {
  for (let length = 1; length < content.length; length++) yield content.subarray(0, length);
};

/** Numbers below a bound, the same for the same seed. */
const randomFrom = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
};

/** `count` copies of `content`, each with one to three random bits turned, the same for the same seed. */
export const bitFlips = function* (content: Uint8Array, count: number, seed: number): Generator<Uint8Array> {
  const random = randomFrom(seed);
  for (let index = 0; index < count; index++) {
    const copy = Uint8Array.from(content);
    for (let flip = 0; flip <= random(3); flip++) {
      const at = random(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
    }
    yield copy;
  }
};

/**
 * `count` copies of `content`, in each of which a random piece stands in the place of another, longer or shorter one:
 * repeated, moved or taken out. The same for the same seed.
 */
export const splices = function* (content: Uint8Array, count: number, seed: number): Generator<Uint8Array> {
  const random = randomFrom(seed);
  const range = (): readonly [number, number] => {
    const start = random(content.length + 1);
    return [start, Math.min(content.length, start + random(64))];
  };
  for (let index = 0; index < count; index++) {
    const [from, until] = range();
    const [start, end] = range();
    yield bytes(content.subarray(0, start), content.subarray(from, until), content.subarray(end));
  }
};
