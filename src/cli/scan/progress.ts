import type { Target } from './types.ts';

/** Milliseconds between two drawings. */
const PERIOD = 100;
const WIDTH = 30;
/** Paths gathered to know how many there are; of more the bar says only how many are done. */
const MAX_GATHERED = 200_000;

/** A bar on a terminal, drawn below what is printed. */
export type Progress = {
  /** The same targets; those that can be known beforehand are gathered first, so that the bar knows its end. */
  count(targets: AsyncGenerator<Target>): AsyncGenerator<Target>;
  done(): void;
  /** Takes the bar away before something is printed. */
  clear(): void;
};

const NONE: Progress = { count: (targets) => targets, done: () => undefined, clear: () => undefined };

export const createProgress = (stream: NodeJS.WritableStream, wanted: boolean): Progress => {
  if (!wanted) return NONE;
  let total: number | undefined;
  let done = 0;
  let drawn = 0;
  let visible = false;
  const bar = (): string => {
    if (total === undefined || total === 0) return `${done} files`;
    const filled = Math.min(WIDTH, Math.floor((done / total) * WIDTH));
    return `[${'#'.repeat(filled).padEnd(WIDTH, '.')}] ${done} of ${total} files`;
  };
  return {
    async *count(targets) {
      const gathered: Target[] = [];
      for await (const target of targets) {
        gathered.push(target);
        if (gathered.length === MAX_GATHERED) break;
      }
      if (gathered.length < MAX_GATHERED) total = gathered.length;
      yield* gathered;
      yield* targets;
    },
    done() {
      done += 1;
      if (performance.now() - drawn < PERIOD) return;
      drawn = performance.now();
      visible = true;
      stream.write(`\r\u001b[K${bar()}`);
    },
    clear() {
      if (visible) stream.write('\r\u001b[K');
      visible = false;
    },
  };
};
