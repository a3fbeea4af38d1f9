import { WeighbridgeError } from '../errors.ts';
import { type Bits, BLOCK_ENTRIES, countOf, meet, membersOf, noBits, setBit } from './bits.ts';
import { blockBits, type OpenBlock } from './block.ts';
import { parseEntry } from './entry.ts';
import type { IndexFile } from './index-file.ts';
import { openLines } from './index-source.ts';
import { listSegments } from './layout.ts';
import { type Condition, conditionsOf, createMatcher, type Query } from './query.ts';
import type { ReadEntry } from './reader.ts';

/** What a search asks beside the query: how many entries, and the position that they are to lie before. */
export type Paging = { readonly limit: number; readonly before?: number };

/** What a search found: newest first, the number of all that match, and how many entries were searched. */
export type Page = {
  readonly entries: readonly ReadEntry[];
  readonly total: number;
  /** Position to go on before; undefined when nothing is left. */
  readonly next: number | undefined;
  readonly searched: number;
};

/** The part of a block that matches. */
type Match = { readonly number: number; readonly bits: Bits; readonly offsets: () => Uint32Array };

/** Every entry has a kind: this is how all of them are asked for. */
const EVERYTHING: Query = { kind: '**' };

/** Blocks with entries that match, newest first; entries before `start` are no longer in the log. */
export const matching = (file: IndexFile, open: OpenBlock, query: Query, start: number): Match[] => {
  const named = conditionsOf(query);
  const conditions = named.length > 0 ? named : conditionsOf(EVERYTHING);
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query;
  const found: Match[] = [];
  const take = (number: number, bits: Bits, offsets: () => Uint32Array): void => {
    if (number * BLOCK_ENTRIES < start)
      meet(
        bits,
        within(number, (position) => position >= start),
      );
    if (bits.some((word) => word !== 0)) found.push({ number, bits, offsets });
  };

  const inOpen = intersection(conditions.map((condition) => blockBits(open, condition)));
  meet(inOpen, timed(open.times, from, to));
  take(open.number, inOpen, () => open.offsets);

  const members = conditions.map((condition: Condition) => file.members(condition));
  for (const { number, earliest, latest, detail } of file.blocks()) {
    if (number >= open.number || latest < from || earliest >= to) continue;
    const sets = members.flatMap((blocks) => blocks.get(number) ?? []);
    if (sets.length < members.length) continue;
    const bits = intersection(sets);
    if (earliest < from || latest >= to) meet(bits, timed(detail().times, from, to));
    take(number, bits, () => detail().offsets);
  }
  return found;
};

const intersection = ([first = noBits(), ...others]: readonly Bits[]): Bits =>
  others.reduce((bits, other) => meet(bits, other), Uint32Array.from(first));

const within = (number: number, wanted: (position: number) => boolean): Bits => {
  const bits = noBits();
  for (let at = 0; at < BLOCK_ENTRIES; at += 1) if (wanted(number * BLOCK_ENTRIES + at)) setBit(bits, at);
  return bits;
};

const timed = (times: Float64Array, from: number, to: number): Bits => {
  const bits = noBits();
  for (const [at, time] of times.entries()) if (time >= from && time < to) setBit(bits, at);
  return bits;
};

/** Positions of one page, with the first byte of each line in its segment, and what is beyond them. */
type Positions = {
  readonly found: readonly { readonly position: number; readonly offset: number }[];
  readonly total: number;
  readonly next: number | undefined;
};

/** The page that is asked for. */
export const pagesOf = (matches: readonly Match[], { limit, before = Number.POSITIVE_INFINITY }: Paging): Positions => {
  const found: { position: number; offset: number }[] = [];
  let [total, more] = [0, false];
  for (const { number, bits, offsets } of matches) {
    total += countOf(bits);
    if (more || number * BLOCK_ENTRIES >= before) continue;
    const positions = membersOf(bits)
      .map((at) => number * BLOCK_ENTRIES + at)
      .filter((position) => position < before);
    const wanted = positions.slice(Math.max(0, positions.length - (limit - found.length))).reverse();
    more = wanted.length < positions.length;
    const starts = wanted.length === 0 ? undefined : offsets();
    for (const position of wanted) found.push({ position, offset: starts?.[position - number * BLOCK_ENTRIES] ?? 0 });
  }
  return { found, total, next: more ? found.at(-1)?.position : undefined };
};

/** The entries of a page, read from the log. Throws LOG_CORRUPT when one is not what the index says. */
export const entriesAt = (
  directory: string,
  query: Query,
  { found, total, next }: Positions,
  searched: number,
): Page => {
  const matches = createMatcher(query);
  const segments = listSegments(directory).map(({ first }) => first);
  const lines = openLines(directory);
  try {
    // In the order in which they stand in the log: the next line is often among what was read with the last.
    const entries = found.toReversed().map(({ position, offset }): ReadEntry => {
      const segment = segments.findLast((first) => first <= position);
      const line = segment === undefined ? undefined : lines.at(segment, offset)?.toString();
      const entry = line === undefined ? undefined : parseEntry(line);
      if (line !== undefined && entry !== undefined && matches(entry)) return { index: position, line, entry };
      throw new WeighbridgeError(
        'LOG_CORRUPT',
        `entry ${position} is not what the index says: one of the two was changed`,
      );
    });
    return { entries: entries.reverse(), total, next, searched };
  } finally {
    lines.close();
  }
};
