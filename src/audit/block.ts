import { type Bits, BLOCK_ENTRIES, noBits, setBit } from './bits.ts';
import type { LoggedEntry } from './entry.ts';
import { type Condition, eachTerm, FIELDS, type Field } from './query.ts';

/** Where a line stands: the first entry of its segment, its first byte in there, and its length without line break. */
export type Place = { readonly segment: number; readonly offset: number; readonly length: number };

/** A block that is being filled: what becomes one row for each name in it, and its times and places. */
export type OpenBlock = {
  readonly number: number;
  /** Members by name, for each field. */
  readonly terms: ReadonlyMap<Field, ReadonlyMap<string, readonly number[]>>;
  /** ms since the epoch; 0 where there is no entry. */
  readonly times: Float64Array;
  /** First byte of each line in its segment. */
  readonly offsets: Uint32Array;
  add(position: number, place: Place, entry: LoggedEntry | undefined): void;
};

/** An empty block. `number` times the entries of a block is the position of its first entry. */
export const openBlock = (number: number): OpenBlock => {
  const terms = new Map(FIELDS.map((field) => [field, new Map<string, number[]>()]));
  const times = new Float64Array(BLOCK_ENTRIES);
  const offsets = new Uint32Array(BLOCK_ENTRIES);
  return {
    number,
    terms,
    times,
    offsets,
    add(position, { offset }, entry) {
      const at = position - number * BLOCK_ENTRIES;
      offsets[at] = offset;
      const time = entry === undefined ? Number.NaN : Date.parse(entry.time);
      if (entry === undefined || Number.isNaN(time)) return;
      times[at] = time;
      for (const [field, names] of terms)
        eachTerm(entry, field, (text) => {
          const members = names.get(text);
          if (members === undefined) names.set(text, [at]);
          else if (members.at(-1) !== at) members.push(at);
        });
    },
  };
};

/** What of a block meets a condition. */
export const blockBits = ({ terms }: OpenBlock, { field, accepts }: Condition): Bits => {
  const bits = noBits();
  for (const [text, members] of terms.get(field) ?? []) {
    if (accepts(text)) for (const at of members) setBit(bits, at);
  }
  return bits;
};
