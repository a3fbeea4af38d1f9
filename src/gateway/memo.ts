/** A map of bounded weight; the least recently used leaves first. */
export type Memo<V> = {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
};

/**
 * A bounded map in memory, for what can be computed again. All values together weigh at most `limit`, but the newest is
 * kept whatever it weighs; without `weigh` each weighs 1.
 */
export const createMemo = <V>(limit: number, weigh: (value: V) => number = () => 1): Memo<V> => {
  const entries = new Map<string, { readonly value: V; readonly weight: number }>();
  let total = 0;
  const remove = (key: string): void => {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  };
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      // With room for as much again nothing is about to leave, and the order does not matter yet.
      if (total * 2 > limit) {
        entries.delete(key);
        entries.set(key, entry);
      }
      return entry.value;
    },
    set(key, value) {
      remove(key);
      const weight = weigh(value);
      entries.set(key, { value, weight });
      total += weight;
      for (const oldest of entries.keys()) {
        if (total <= limit || entries.size === 1) return;
        remove(oldest);
      }
    },
    delete: remove,
  };
};

/**
 * Runs `work` once for all who ask for `key` while it runs. Whoever only joined does not inherit a failure that `personal`
 * says was the first caller's own: their own `work` runs then, again once for all of them.
 */
export const createSingleFlight = <V>(
  personal: (error: unknown) => boolean = () => false,
): ((key: string, work: () => Promise<V>) => Promise<V>) => {
  const running = new Map<string, Promise<V>>();
  return async function once(key, work) {
    const current = running.get(key);
    if (current === undefined) {
      const promise = work().finally(() => running.delete(key));
      running.set(key, promise);
      return promise;
    }
    try {
      return await current;
    } catch (error) {
      if (personal(error)) return once(key, work);
      throw error;
    }
  };
};
