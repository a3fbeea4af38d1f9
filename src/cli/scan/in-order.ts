/** Results that are kept until those before them are known: work goes on beside a file that takes long. */
const KEPT = 256;

/**
 * Works on `items` with at most `limit` at the same time and gives the results in the order of the items, each as soon
 * as it and all before it are known. Reads no further ahead than KEPT. A failure of `items` or `work` ends it.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  let added = Promise.withResolvers<void>();
  let room = Promise.withResolvers<void>();
  let busy = 0;
  let ended = false;
  const makeRoom = (): void => {
    room.resolve();
    room = Promise.withResolvers();
  };
  const freed = (): void => {
    busy -= 1;
    makeRoom();
  };
  const produce = async (): Promise<void> => {
    try {
      for await (const item of items) {
        while ((busy >= limit || running.length >= KEPT) && !ended) await room.promise;
        if (ended) return;
        busy += 1;
        const result = work(item);
        // Whoever takes the result hears of its failure; until then it is not an unhandled one.
        result.then(freed, freed);
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
        makeRoom();
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
    makeRoom();
  }
}
