/**
 * Works on `items` with at most `limit` at the same time and gives the results in the order of the items, each as soon
 * as it and all before it are known. Reads no further ahead than `limit`. A failure of `items` or `work` ends it.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  let added = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();
  let ended = false;
  const produce = async (): Promise<void> => {
    try {
      for await (const item of items) {
        while (running.length >= limit && !ended) await taken.promise;
        if (ended) return;
        const result = work(item);
        // Whoever takes the result hears of its failure; until then it is not an unhandled one.
        result.catch(() => {});
        running.push(result);
        added.resolve();
      }
    } finally {
      ended = true;
      added.resolve();
    }
  };
  const produced = produce();
  produced.catch(() => {});
  try {
    for (;;) {
      const [first] = running;
      if (first !== undefined) {
        const result = await first;
        void running.shift();
        taken.resolve();
        taken = Promise.withResolvers();
        yield result;
      } else if (ended) {
        await produced;
        return;
      } else {
        await added.promise;
        added = Promise.withResolvers();
      }
    }
  } finally {
    ended = true;
    taken.resolve();
  }
}
