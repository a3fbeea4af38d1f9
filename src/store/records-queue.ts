import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { WeighbridgeError } from '../errors.ts';
import type { Write, WriteBatch, WriteResult } from './records-thread.ts';

/** Writes that may wait before a new one has to; a cold fill makes a few a second, so this is minutes. */
const MAX_PENDING = 10_000;
/** Characters that may wait; a report can have a megabyte. */
const MAX_PENDING_CHARACTERS = 64 * 1024 * 1024;
/** Writes in one transaction: enough to share a commit, few enough that a durable one does not wait long. */
const MAX_BATCH = 500;

type Queued = Write & { readonly durable: boolean; readonly settle: (fault?: WeighbridgeError) => void };

/** Writes on their way to the thread that commits them, in order; one batch at a time, so that they gather meanwhile. */
export type WriteQueue = {
  /** Resolves when there is room for one more write; rejects with the fault of an earlier write that nobody awaited. */
  ready(): Promise<void>;
  /** Queues a write; resolves once it is committed (with `durable`: on the disk). */
  push(write: Write, durable: boolean): Promise<void>;
  /** What is queued for a key: `undefined` nothing, otherwise the write. */
  pending(space: string, key: string): Write | undefined;
  /** Queued writes of a space, newest per key. */
  pendingIn(space: string): Iterable<Write>;
  /** Commits what is queued, then ends the thread. */
  close(): Promise<void>;
};

/** A queue in front of the thread `worker` (records-thread.ts). */
export const createWriteQueue = (worker: Worker): WriteQueue => {
  const waiting: Queued[] = [];
  const newest = new Map<string, Map<string, Queued>>();
  let flying: readonly Queued[] = [];
  let characters = 0;
  let drained = Promise.withResolvers<void>();
  let unsaid: WeighbridgeError | undefined;
  let dead: WeighbridgeError | undefined;

  const send = (): void => {
    if (flying.length > 0 || waiting.length === 0) return;
    flying = waiting.splice(0, MAX_BATCH);
    const writes = flying.map(({ space, key, value }): Write => ({ space, key, value }));
    worker.ref();
    worker.postMessage({ writes, durable: flying.some(({ durable }) => durable) } satisfies WriteBatch);
  };

  const finish = (done: readonly Queued[], fault?: WeighbridgeError): void => {
    for (const write of done) {
      const space = newest.get(write.space);
      if (space?.get(write.key) === write) space.delete(write.key);
      characters -= write.value?.length ?? 0;
      write.settle(fault);
    }
    if (done.some(({ durable }) => !durable)) unsaid = fault ?? unsaid;
    drained.resolve();
    drained = Promise.withResolvers();
  };

  worker.on('message', ({ fault }: WriteResult) => {
    const done = flying;
    flying = [];
    worker.unref();
    finish(done, fault && new WeighbridgeError(fault.code, fault.message));
    send();
  });
  const onDeath = (why: string): void => {
    dead = new WeighbridgeError('STORE_CORRUPT', `the thread that writes the records ended: ${why}`);
    finish([...flying, ...waiting.splice(0)], dead);
    flying = [];
  };
  worker.on('error', (error) => onDeath(error.message));
  worker.on('exit', () => dead ?? onDeath('closed'));

  return {
    async ready() {
      while (waiting.length >= MAX_PENDING || characters >= MAX_PENDING_CHARACTERS) await drained.promise;
      const fault = dead ?? unsaid;
      unsaid = undefined;
      if (fault !== undefined) throw fault;
    },
    push(write, durable) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      // A failed write that nobody waits for is told by the next `ready`.
      promise.catch(() => undefined);
      const queued: Queued = {
        ...write,
        durable,
        settle: (fault) => (fault === undefined ? resolve() : reject(fault)),
      };
      const space = newest.get(write.space) ?? new Map<string, Queued>();
      newest.set(write.space, space.set(write.key, queued));
      characters += write.value?.length ?? 0;
      waiting.push(queued);
      // Later in this turn of the loop, so that writes made together are committed together.
      if (waiting.length === 1) setImmediate(send);
      return promise;
    },
    pending: (space, key) => newest.get(space)?.get(key),
    pendingIn: (space) => newest.get(space)?.values() ?? [],
    async close() {
      while (dead === undefined && (waiting.length > 0 || flying.length > 0)) await drained.promise;
      if (dead !== undefined) return;
      worker.ref();
      const ended = once(worker, 'exit');
      worker.postMessage('close');
      await ended;
    },
  };
};
