import { once } from 'node:events';
import { hostname } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { WeighbridgeError } from '../errors.ts';
import { formatEntry } from './entry.ts';
import { uuidv7 } from './identifiers.ts';
import { loadPseudonyms } from './keys.ts';
import { createLogQueue, type Outcome } from './log-queue.ts';
import type { LogAnswer, LogRequest, LogThreadOptions } from './log-thread.ts';
import type { AccessLog, Entry } from './types.ts';

/** Bytes at which a new segment begins: a start reads one segment, at about 150 MB/s. */
const ROTATE_BYTES = 64 * 1024 * 1024;
/** ms after which a new segment begins, too. */
const ROTATE_AGE = 30 * 86_400_000;
/** ms between checkpoints while there is something new. */
const CHECKPOINT_INTERVAL = 1000;
/** Values whose pseudonyms were asked for lately, so that each request does not compute and store them again. */
const MAX_REMEMBERED = 10_000;
/** Characters of a value that is kept for that; a token has some forty. */
const MAX_REMEMBERED_LENGTH = 256;

export type AccessLogOptions = {
  /** The folder of the log. */
  readonly directory: string;
  /** Names the log for ever, as `gateway.example/log`: no spaces, no `+`. */
  readonly origin: string;
  /** Folder of the signing key and the pseudonym key; `keys` beside the log when left out. */
  readonly keys?: string;
  /** This process, in each entry; the host's name when left out. */
  readonly node?: string;
  /** Stores the value behind a pseudonym where it can be erased. Called about once for each value. */
  readonly remember?: (pseudonym: string, value: string) => void;
  /** Bytes at which a new segment begins. */
  readonly rotate?: number;
  /** ms after which a new segment begins. */
  readonly rotateAge?: number;
  /** ms between checkpoints. */
  readonly checkpointInterval?: number;
};

/**
 * Opens (or makes) the log in a folder; one process at a time. Rejects with LOG_CORRUPT when what is there is not what
 * was signed: the gateway does not start then.
 */
export const createAccessLog = async (options: AccessLogOptions): Promise<AccessLog> => {
  const { directory, origin, node = hostname(), remember } = options;
  const keys = options.keys ?? join(dirname(directory), 'keys');
  const { thread, ready } = await startThread({
    directory,
    keys,
    origin,
    rotate: { bytes: options.rotate ?? ROTATE_BYTES, age: options.rotateAge ?? ROTATE_AGE },
    checkpointInterval: options.checkpointInterval ?? CHECKPOINT_INTERVAL,
  });
  const pseudonymOf = loadPseudonyms(keys);
  const remembered = new Map<string, string>();
  let [note, size] = [ready.note, ready.size];
  let answered: ((outcome: Outcome) => void) | undefined;
  let [busy, closing] = [false, false];

  const queue = createLogQueue(
    (lines) =>
      new Promise((resolve) => {
        answered = resolve;
        busy = true;
        thread.ref();
        thread.postMessage({ lines } satisfies LogRequest);
      }),
  );
  const answer = (outcome: Outcome): void => {
    busy = false;
    if (!closing) thread.unref();
    answered?.(outcome);
  };
  thread.on('message', (message: LogAnswer) => {
    if (message.kind === 'checkpoint') note = message.note;
    if (message.kind === 'written') {
      size = message.size;
      answer({ first: message.first });
    }
    if (message.kind === 'failed') answer({ failure: message.message, final: message.final });
  });
  const onDeath = (why: string): void => {
    if (busy) answer({ failure: why, final: true });
    queue.fail(why);
  };
  thread.on('error', (error) => onDeath(error.message));
  thread.on('exit', () => onDeath('its thread has ended'));

  const line = (entry: Entry): string => {
    const time = Date.now();
    return formatEntry(entry, { id: uuidv7(time), time, node });
  };
  if (ready.droppedBytes > 0) {
    queue.enqueue(line({ kind: 'log.recovered', detail: { droppedBytes: ready.droppedBytes, entry: size } }));
  }

  return {
    key: ready.key,
    get size() {
      return size;
    },
    async append(entry) {
      return queue.append(line(entry));
    },
    enqueue: (entry) => queue.enqueue(line(entry)),
    checkpoint: () => note,
    pseudonym(value) {
      const known = remembered.get(value);
      if (known !== undefined) return known;
      const pseudonym = pseudonymOf(value);
      remember?.(pseudonym, value);
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      if (value.length <= MAX_REMEMBERED_LENGTH) remembered.set(value, pseudonym);
      return pseudonym;
    },
    async close() {
      if (closing) return;
      closing = true;
      await queue.drain();
      thread.ref();
      const ended = once(thread, 'exit');
      thread.postMessage('close' satisfies LogRequest);
      await ended;
    },
  };
};

type Ready = Extract<LogAnswer, { kind: 'ready' }>;

const startThread = async (workerData: LogThreadOptions): Promise<{ thread: Worker; ready: Ready }> => {
  // The sources run as .ts in a checkout and as .js once built; a URL in a string is not rewritten by the build.
  const entry = new URL(`./log-thread${extname(import.meta.filename)}`, import.meta.url);
  const thread = new Worker(entry, { workerData, name: 'log', execArgv: [] });
  const [message]: LogAnswer[] = await once(thread, 'message');
  if (message?.kind === 'ready') {
    thread.unref();
    return { thread, ready: message };
  }
  throw new WeighbridgeError('LOG_CORRUPT', message?.kind === 'refused' ? message.message : 'the log did not open');
};
