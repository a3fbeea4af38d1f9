import { MIB } from '../bytes/limits.ts';

/** Bytes from which a file counts as large: it may keep a worker for long. */
const LARGE = 32 * MIB;

/** Files that wait for a worker. */
export type Queue<T> = {
  /** False when the queue is full. */
  add(item: T, size: number): boolean;
  /** The next item; `large` false leaves large files waiting. */
  next(large: boolean): { readonly item: T; readonly large: boolean } | undefined;
  remove(item: T): boolean;
  drain(): readonly T[];
};

/**
 * Two lanes, small files and large ones, each first come first served and taken in turn, so that neither waits for a
 * long row of the other.
 */
export const createQueue = <T>(limit: number): Queue<T> => {
  const small = new Set<T>();
  const large = new Set<T>();
  let turn: 'small' | 'large' = 'small';
  return {
    add(item, size) {
      if (small.size + large.size >= limit) return false;
      (size >= LARGE ? large : small).add(item);
      return true;
    },
    next(allowLarge) {
      const useLarge = allowLarge && large.size > 0 && (turn === 'large' || small.size === 0);
      const lane = useLarge ? large : small;
      const [item] = lane;
      if (item === undefined) return undefined;
      lane.delete(item);
      turn = useLarge ? 'small' : 'large';
      return { item, large: useLarge };
    },
    remove: (item) => small.delete(item) || large.delete(item),
    drain() {
      const items = [...small, ...large];
      small.clear();
      large.clear();
      return items;
    },
  };
};
