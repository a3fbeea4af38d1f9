import type { Table, Tables } from '../../src/store/tables.ts';
import type { Records } from '../../src/store/types.ts';

/** `Records` in a map, for tests of rooms above the store. `size` counts what is kept. */
export const createMemoryRecords = (): Records & { size(): number } => {
  const kept = new Map<string, unknown>();
  const place = (table: Table, key: string): string => `${table}\n${key}`;
  return {
    size: () => kept.size,
    async get<T extends Table>(table: T, key: string) {
      return kept.get(place(table, key)) as Tables[T] | undefined;
    },
    async put(table, key, value) {
      kept.set(place(table, key), structuredClone(value));
    },
    async add<T extends Table>(table: T, key: string, value: Tables[T]) {
      if (!kept.has(place(table, key))) kept.set(place(table, key), structuredClone(value));
      return kept.get(place(table, key)) as Tables[T];
    },
    async delete(table, key) {
      kept.delete(place(table, key));
    },
    async list<T extends Table>(table: T, prefix: string, limit: number, after = '') {
      const start = place(table, '');
      return [...kept]
        .map(([key, value]) => ({ key, value: value as Tables[T] }))
        .filter(({ key }) => key.startsWith(start + prefix) && key.slice(start.length) > after)
        .map(({ key, value }) => ({ key: key.slice(start.length), value }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .slice(0, limit);
    },
    async close() {},
  };
};
