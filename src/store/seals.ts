/**
 * How long after it was stored a blob is made durable, in ms: by then the system has written most of it in its own time. To
 * wait for gigabytes at once would keep the log's small writes waiting as well (docs/decisions/0026-blobs-are-sealed-later.md).
 */
const SEAL_AFTER = 45_000;

/** Blobs that wait to be made durable, one after the other. */
export type Seals = {
  later(sha256: string): void;
  /** Leaves what still waits: the next start hashes it again before it is served. */
  close(): Promise<void>;
};

/** `seal` makes one blob durable, and deals with its own faults. `after` is in ms. */
export const createSeals = (seal: (sha256: string) => Promise<void>, after: number = SEAL_AFTER): Seals => {
  const waiting: { readonly sha256: string; readonly due: number }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let closed = false;

  const run = async (): Promise<void> => {
    for (let next = waiting[0]; next !== undefined && !closed; next = waiting[0]) {
      if (next.due > performance.now()) break;
      waiting.shift();
      await seal(next.sha256);
    }
    running = undefined;
    arm();
  };

  const arm = (): void => {
    const [next] = waiting;
    if (next === undefined || closed || running !== undefined) return;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        running = run();
      },
      Math.max(next.due - performance.now(), 0),
    ).unref();
  };

  return {
    later(sha256) {
      waiting.push({ sha256, due: performance.now() + after });
      arm();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
};
