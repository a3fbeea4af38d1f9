import { sha256Hex } from '../../bytes/sha256.ts';
import { type Json, printable } from '../format.ts';
import { describeAdapter } from './adapter.ts';

/** Tensors that are fingerprinted and grouped (half a second for 100,000): the largest models have some ten thousand. */
const TENSORS = 200_000;
/** Groups of like tensors in the report: a transformer has some dozens. */
const GROUPS = 200;
/** Characters of a group's name. */
const NAME = 120;

/** A tensor as its file describes it; the shape has the slowest dimension first, as numpy and torch write it. */
export type Described = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
};

/** A name of a tensor with every run of digits as `*`: one for all layers. */
const pattern = (name: string): string => name.replace(/\d+/g, '*');

const shapeText = (shape: readonly number[]): string => `[${shape.join(',')}]`;

/** As Python's `json.dumps` writes it: printable ASCII stays, the rest is escaped by UTF-16 unit. */
const asciiJson = (name: string): string =>
  JSON.stringify(name).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * sha256 over the structure alone: a line `"name" dtype [shape]` for each tensor, names as ASCII JSON, lines sorted and
 * ended by a line feed. Two files with the same one hold tensors of the same names, types and shapes, whatever their
 * values, their order and their format.
 */
export const fingerprint = (tensors: readonly Described[]): string => {
  const lines = tensors.map(({ name, dtype, shape }) => `${asciiJson(name)} ${dtype} ${shapeText(shape)}\n`).sort();
  const text = lines.join('');
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = text.charCodeAt(at);
  return sha256Hex(bytes);
};

/** What the structure of weights says, for the report: fingerprint, counts, groups of like tensors, adapters. Small. */
export const describeStructure = (
  tensors: readonly Described[],
  metadata: ReadonlyMap<string, string> = new Map(),
): { [key: string]: Json } => {
  const counts = { tensors: tensors.length, parameters: sum(tensors) };
  if (tensors.length > TENSORS) return counts;
  const adapter = describeAdapter(tensors, metadata);
  return {
    fingerprint: fingerprint(tensors),
    ...counts,
    dtypes: Object.fromEntries(
      [...Map.groupBy(tensors, ({ dtype }) => dtype)]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([dtype, of]) => [dtype, { tensors: of.length, parameters: sum(of) }]),
    ),
    ...grouped(tensors),
    ...(adapter === undefined ? {} : { adapter }),
  };
};

const sum = (tensors: readonly Described[]): number => tensors.reduce((total, { elements }) => total + elements, 0);

/** Tensors that differ in a number of their name only, told once; what is beyond the limit is counted. */
const grouped = (tensors: readonly Described[]): { [key: string]: Json } => {
  const counts = new Map<string, number>();
  for (const { name, dtype, shape } of tensors) {
    const line = `${printable(pattern(name), NAME)} ${dtype} ${printable(shapeText(shape), NAME)}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const groups = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const more = groups.length - GROUPS;
  const listed = groups.slice(0, GROUPS).map(([line, count]) => ({ tensors: line, count }));
  return { groups: listed, ...(more > 0 ? { moreGroups: more } : {}) };
};
