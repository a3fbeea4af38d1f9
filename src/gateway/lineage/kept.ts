import { createMemo, createSingleFlight } from '../memo.ts';

/** Values that are looked up again now and then, without anybody waiting for what was known before. */
export type Kept<V> = {
  /** What is known under `key`: waited for the first time; later told at once, and looked up again beside the answer. */
  get(key: string, find: (before: V | undefined) => Promise<V | undefined>): Promise<V | undefined>;
  set(key: string, value: V): void;
};

/** Keeps up to `limit` values (and that there is none) for `fresh` ms each. */
export const createKept = <V>(limit: number, fresh: number): Kept<V> => {
  const memo = createMemo<{ readonly value: V | undefined; readonly until: number }>(limit);
  const finding = createSingleFlight<V | undefined>();
  const keep = (key: string, value: V | undefined): V | undefined => {
    memo.set(key, { value, until: performance.now() + fresh });
    return value;
  };
  return {
    async get(key, find) {
      const known = memo.get(key);
      if (known !== undefined && known.until > performance.now()) return known.value;
      const found = finding(key, async () => keep(key, await find(known?.value)));
      if (known === undefined) return found;
      // A fault of the records shows where somebody waits for them; what was known stays as it is.
      found.catch(() => undefined);
      return known.value;
    },
    set: keep,
  };
};
