import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { WeighbridgeError } from '../errors.ts';
import type { Digests } from './digest.ts';
import type { DigestAnswer, DigestRequest } from './digest-thread.ts';
import { startThread } from './thread.ts';

/** Threads that hash. One does 1 to 1.7 GB/s; more than the cores that serving leaves would only fight. */
const MAX_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));

/** The digests of one blob that is on its way in, computed in another thread. */
export type RunningDigest = {
  /** `bytes` must lie in shared memory and stay unchanged until this resolves. */
  update(bytes: Uint8Array): Promise<void>;
  finish(): Promise<Digests>;
  drop(): void;
};

export type DigestPool = { start(gitSize?: number): RunningDigest; close(): Promise<void> };

type Waiter = { readonly resolve: (digests: Digests | undefined) => void; readonly reject: (error: Error) => void };
type Thread = { readonly worker: Worker; readonly waiters: Map<number, Waiter[]>; jobs: number };

/** Threads that hash, started when the first large blob comes. */
export const createDigestPool = (): DigestPool => {
  const threads: Thread[] = [];
  let ids = 0;

  const least = (): Thread => {
    const idle = threads.toSorted((a, b) => a.jobs - b.jobs)[0];
    if (idle !== undefined && (idle.jobs === 0 || threads.length >= MAX_THREADS)) return idle;
    const thread: Thread = { worker: startThread('digest-thread'), waiters: new Map(), jobs: 0 };
    threads.push(thread);
    thread.worker.on('message', ({ id, digests }: DigestAnswer) => thread.waiters.get(id)?.shift()?.resolve(digests));
    const onDeath = (): void => {
      if (threads.includes(thread)) threads.splice(threads.indexOf(thread), 1);
      for (const waiter of [...thread.waiters.values()].flat()) waiter.reject(lost());
      thread.waiters.clear();
    };
    thread.worker.on('error', onDeath);
    thread.worker.on('exit', onDeath);
    return thread;
  };

  return {
    start(gitSize) {
      const thread = least();
      const id = ++ids;
      const waiters: Waiter[] = [];
      const tell = (request: DigestRequest): void => thread.worker.postMessage(request);
      const ask = (request: DigestRequest): Promise<Digests | undefined> => {
        const { promise, resolve, reject } = Promise.withResolvers<Digests | undefined>();
        if (thread.waiters.has(id)) waiters.push({ resolve, reject });
        else reject(lost());
        tell(request);
        return promise;
      };
      const leave = (): void => {
        if (!thread.waiters.delete(id)) return;
        thread.jobs -= 1;
        for (const waiter of waiters.splice(0)) waiter.reject(lost());
        if (thread.jobs === 0) thread.worker.unref();
      };
      thread.jobs += 1;
      thread.waiters.set(id, waiters);
      thread.worker.ref();
      tell({ kind: 'start', id, ...(gitSize !== undefined && { gitSize }) });
      return {
        async update(bytes) {
          await ask({ kind: 'update', id, bytes });
        },
        async finish() {
          const digests = await ask({ kind: 'finish', id });
          leave();
          if (digests === undefined) throw lost();
          return digests;
        },
        drop() {
          tell({ kind: 'drop', id });
          leave();
        },
      };
    },
    async close() {
      await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()));
    },
  };
};

const lost = (): WeighbridgeError =>
  new WeighbridgeError('STORE_CORRUPT', 'the thread that computes digests has ended');
