import { setTimeout as wait } from 'node:timers/promises';
import { isFault, WeighbridgeError } from '../errors.ts';
import type { Report } from '../formats/format.ts';
import { type Request, runInspection } from './inspection.ts';
import { createQueue } from './queue.ts';
import { createWatch } from './watch.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Inspections that may wait; more are turned away at once, and a retry finds room. */
const WAITING = 4096;
/** Workers that one file is given, when something outside ends them before they begin. */
const ATTEMPTS = 3;
/** Inspections after which a worker is replaced, whatever it may have kept of them. */
const INSPECTIONS = 1000;
/** Milliseconds of parsing after which a worker is replaced; below its limit of processor time. */
const COMPUTED = 600_000;
/** Milliseconds before the second attempt to start a worker, doubled for each further one, and at most. */
const BACKOFF = 100;
const BACKOFF_LIMIT = 5000;

type Job = Request & {
  readonly resolve: (report: Report) => void;
  readonly reject: (error: unknown) => void;
};

/** A worker and what it has done. */
type Member = { readonly worker: WorkerProcess; inspections: number; computed: number; busy: 'no' | 'small' | 'large' };

export type Pool = {
  /** Rejects with SANDBOX_UNAVAILABLE when no worker could judge the file, whatever is in it. */
  submit(request: Request): Promise<Report>;
  stats(): { workers: number; idle: number; restarts: number };
  close(): Promise<void>;
};

export type PoolOptions = {
  readonly size: number;
  /** Bytes of memory for one isolate. */
  readonly memory: number;
  /** Milliseconds that a file may wait for a worker. */
  readonly patience: number;
  /** Workers that large files leave to the small ones, where there are more. */
  readonly reserve?: number;
  readonly start: () => Promise<WorkerProcess>;
};

/** Keeps `size` workers alive, beginning with `first`, and gives each one inspection at a time. */
export const createPool = (first: WorkerProcess, { size, memory, patience, reserve = 1, start }: PoolOptions): Pool => {
  const members = new Set<Member>();
  const queue = createQueue<Job>(WAITING);
  const watch = createWatch(memory);
  const closing = new AbortController();
  let restarts = 0;

  const join = (worker: WorkerProcess): void => {
    if (closing.signal.aborted) {
      worker.kill();
      return;
    }
    const member: Member = { worker, inspections: 0, computed: 0, busy: 'no' };
    members.add(member);
    void worker.ended.then(() => replace(member));
    dispatch();
  };
  const replace = (member: Member): void => {
    if (!members.delete(member)) return;
    member.worker.kill();
    if (closing.signal.aborted) return;
    restarts += 1;
    void recruit();
  };
  /** Starts a worker, again and again until one comes up. */
  const recruit = async (failures = 0): Promise<void> => {
    try {
      join(await start());
    } catch {
      const pause = Math.min(BACKOFF * 2 ** failures, BACKOFF_LIMIT);
      await wait(pause, undefined, { signal: closing.signal }).catch(() => {});
      if (!closing.signal.aborted) await recruit(failures + 1);
    }
  };

  /** Goes to the end of the line: it makes an isolate for its next file while others work. */
  const rest = (member: Member): void => {
    member.busy = 'no';
    if (members.delete(member)) members.add(member);
  };
  const idle = (): Member | undefined => [...members].find(({ busy }) => busy === 'no');
  const roomForLarge = (): boolean => {
    const large = [...members].filter(({ busy }) => busy === 'large').length;
    return large < Math.max(1, size - reserve);
  };
  const dispatch = (): void => {
    for (let member = idle(); member !== undefined; member = idle()) {
      const next = queue.next(roomForLarge());
      if (next === undefined) return;
      member.busy = next.large ? 'large' : 'small';
      void work(member, next.item);
    }
  };
  const work = async (member: Member, job: Job): Promise<void> => {
    const { report, released, stopwatch } = runInspection(member.worker, job, watch);
    report.then(job.resolve, job.reject);
    const healthy = await released;
    member.inspections += 1;
    member.computed += stopwatch.computed();
    if (!healthy || member.inspections >= INSPECTIONS || member.computed >= COMPUTED) replace(member);
    else rest(member);
    dispatch();
  };

  join(first);
  for (let missing = size - 1; missing > 0; missing--) void recruit();

  const line: Line = {
    add(job) {
      if (closing.signal.aborted || !queue.add(job, job.source.size)) return false;
      dispatch();
      return true;
    },
    remove: (job) => queue.remove(job),
  };
  /** A worker may have ended and nobody noticed yet: the file that it was given is given to another. */
  const submit = async (request: Request, attempt = 1): Promise<Report> => {
    try {
      return await enqueue(request, patience, line);
    } catch (error) {
      const untouched = isFault(error, 'SANDBOX_UNAVAILABLE') && error.details['begun'] === false;
      if (!untouched || attempt === ATTEMPTS) throw error;
      return submit(request, attempt + 1);
    }
  };

  return {
    submit: (request) => submit(request),
    stats: () => ({
      workers: members.size,
      idle: [...members].filter(({ busy }) => busy === 'no').length,
      restarts,
    }),
    async close() {
      closing.abort();
      for (const job of queue.drain()) job.reject(new WeighbridgeError('CANCELLED', 'the sandbox is closing'));
      const ending = [...members].map(({ worker }) => worker);
      for (const worker of ending) worker.kill();
      await Promise.all(ending.map(({ ended }) => ended));
    },
  };
};

type Line = { add(job: Job): boolean; remove(job: Job): boolean };

/** A job in the queue, which leaves it when its caller gives up or no worker becomes free in time. */
const enqueue = (request: Request, patience: number, line: Line): Promise<Report> => {
  const { signal } = request;
  const { promise, resolve, reject } = Promise.withResolvers<Report>();
  const busy = (message: string): void => reject(new WeighbridgeError('SANDBOX_UNAVAILABLE', message));
  const job: Job = { ...request, resolve, reject };
  const leave = (): void => {
    if (line.remove(job)) reject(new WeighbridgeError('CANCELLED', 'the inspection was cancelled'));
  };
  if (signal?.aborted === true) {
    reject(new WeighbridgeError('CANCELLED', 'the inspection was cancelled'));
    return promise;
  }
  const timer = setTimeout(() => line.remove(job) && busy(`no worker became free within ${patience} ms`), patience);
  signal?.addEventListener('abort', leave);
  if (!line.add(job)) busy('too many files wait for inspection');
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', leave);
  });
};
