/** A map of at most `limit` entries; the least recently used leaves first. */
export type Memo<V> = {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
};

/** A bounded map in memory, for what can be computed again. */
export const createMemo = <V>(limit: number): Memo<V> => {
  const entries = new Map<string, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size <= limit) return;
      for (const oldest of entries.keys()) {
        entries.delete(oldest);
        return;
      }
    },
    delete: (key) => void entries.delete(key),
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
