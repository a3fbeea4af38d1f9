import type { Info } from './info.ts';

/** A repo at a commit, and until when (ms of `performance.now`, which nobody puts back) it is taken to be that. */
export type Held = {
  readonly info: Info;
  readonly until: number;
  /** Of the answer that it was read from: reading that of a large repo again would take half a second. */
  readonly digest?: string;
};

export type Holding = {
  get(place: string): Held | undefined;
  set(place: string, held: Held): void;
  /** Forgets every place that begins with `prefix`; what callers hold for themselves begins with their scope and stays. */
  deleteShared(prefix: string): void;
};

/** Repos in memory, bounded by the files that they list together; the least recently set leave first, never the last one. */
export const createHolding = (maxFiles: number): Holding => {
  const places = new Map<string, Held>();
  let files = 0;
  /** An empty repo weighs something too. */
  const weight = ({ info }: Held): number => info.files.size + 1;
  const remove = (place: string): void => {
    const held = places.get(place);
    if (held === undefined) return;
    files -= weight(held);
    places.delete(place);
  };
  return {
    get: (place) => places.get(place),
    set(place, held) {
      remove(place);
      places.set(place, held);
      files += weight(held);
      for (const oldest of places.keys()) {
        if (files <= maxFiles || places.size === 1) return;
        remove(oldest);
      }
    },
    deleteShared(prefix) {
      for (const place of [...places.keys()]) if (place.startsWith(prefix)) remove(place);
    },
  };
};
