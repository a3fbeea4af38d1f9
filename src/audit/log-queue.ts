import { WeighbridgeError } from '../errors.ts';

/** Entries of one batch, and characters: what gathers at 50,000 a second while a slow disk takes 80 ms. */
const MAX_BATCH = 4096;
const MAX_BATCH_CHARACTERS = 4 * 1024 * 1024;
/** What may wait: seconds at the highest rate that the disk bears, and memory that a process can spare. */
const MAX_WAITING = 65_536;
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;
/** ms before lines that could not be written are tried again. */
const RETRY_DELAY = 250;

type Waiting = {
  readonly line: string;
  readonly done?: { readonly resolve: (index: number) => void; readonly reject: (fault: Error) => void };
};

/** What became of a batch: the index of its first entry, or why it was not written. */
export type Outcome = { readonly first: number } | { readonly failure: string; readonly final: boolean };

/** Lines on their way to the writer: group commit, one batch under way while the next gathers. */
export type LogQueue = {
  /** Resolves with the index of the line once it is on the disk; rejects with LOG_UNAVAILABLE. */
  append(line: string): Promise<number>;
  /** Throws LOG_UNAVAILABLE when no more fits. What fits is written, however often that has to be tried. */
  enqueue(line: string): void;
  /** Ends the queue: what comes later is refused, and so is what waits for an answer. */
  fail(reason: string): void;
  /** Writes what waits, as far as the disk allows; nothing is taken any more. */
  drain(): Promise<void>;
};

/** A queue in front of `write`, which gets lines with their line breaks. */
export const createLogQueue = (write: (lines: string) => Promise<Outcome>): LogQueue => {
  let waiting: Waiting[] = [];
  let characters = 0;
  let running: Promise<void> | undefined;
  let [closing, ended]: [boolean, string | undefined] = [false, undefined];

  const push = (one: Waiting): void => {
    if (ended !== undefined) throw unavailable(ended);
    if (closing) throw unavailable('it is being closed');
    if (waiting.length >= MAX_WAITING || characters + one.line.length > MAX_WAITING_CHARACTERS) {
      throw unavailable('its queue is full: the disk does not keep up');
    }
    waiting.push(one);
    characters += one.line.length;
    running ??= run();
  };

  const take = (): Waiting[] => {
    let [count, length] = [0, 0];
    for (const { line } of waiting) {
      if (count === MAX_BATCH || (count > 0 && length + line.length > MAX_BATCH_CHARACTERS)) break;
      count += 1;
      length += line.length;
    }
    characters -= length;
    return waiting.splice(0, count);
  };

  /** One batch after the other until nothing waits. */
  const run = async (): Promise<void> => {
    // The rest of this turn of the loop comes along; under load a batch gathers while another one is written.
    await new Promise(setImmediate);
    while (waiting.length > 0 && ended === undefined) {
      const batch = take();
      const outcome = await write(`${batch.map(({ line }) => line).join('\n')}\n`);
      if ('first' in outcome) {
        for (const [at, { done }] of batch.entries()) done?.resolve(outcome.first + at);
        continue;
      }
      for (const { done } of batch) done?.reject(unavailable(outcome.failure));
      // Whoever waited has been told, and serves nothing; what nobody waited for must not be lost.
      const kept = batch.filter(({ done }) => done === undefined);
      waiting = [...kept, ...waiting];
      characters += kept.reduce((sum, { line }) => sum + line.length, 0);
      if (outcome.final) fail(outcome.failure);
      else if (closing) break;
      else await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    }
    running = undefined;
  };

  const fail = (reason: string): void => {
    ended ??= reason;
    for (const { done } of waiting.splice(0)) done?.reject(unavailable(reason));
    characters = 0;
  };

  return {
    append: (line) =>
      new Promise((resolve, reject) => {
        push({ line, done: { resolve, reject } });
      }),
    enqueue: (line) => push({ line }),
    fail,
    async drain() {
      closing = true;
      await running;
    },
  };
};

const unavailable = (why: string): WeighbridgeError =>
  new WeighbridgeError('LOG_UNAVAILABLE', `the access log cannot be written: ${why}`);
