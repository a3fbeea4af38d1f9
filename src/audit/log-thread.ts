import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { isFault } from '../errors.ts';
import { formatVerifierKey } from '../merkle/checkpoint.ts';
import { loadSigner } from './keys.ts';
import { listSegments, logFiles } from './layout.ts';
import { createLogWriter, type LogWriter, type Rotation } from './log-writer.ts';
import { recover } from './recover.ts';
import { writeWhole } from './whole-file.ts';

/** What the thread is started with. Times are ms, sizes bytes. */
export type LogThreadOptions = {
  readonly directory: string;
  readonly keys: string;
  readonly origin: string;
  readonly rotate: Rotation;
  readonly checkpointInterval: number;
};
/** Lines to write, each with its line break; or the end. */
export type LogRequest = { readonly lines: string } | 'close';
export type LogAnswer =
  | {
      readonly kind: 'ready';
      readonly size: number;
      readonly key: string;
      readonly note: string;
      readonly droppedBytes: number;
    }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'written'; readonly first: number; readonly size: number }
  | { readonly kind: 'failed'; readonly message: string; readonly final: boolean }
  | { readonly kind: 'checkpoint'; readonly note: string };

/** The writer in its thread: neither the disk nor the hashing stalls the thread that serves. */
const serve = async (port: NonNullable<typeof parentPort>, options: LogThreadOptions): Promise<void> => {
  const answer = (message: LogAnswer): void => port.postMessage(message);
  const writer = await start(options, answer);
  if (writer === undefined) {
    port.close();
    return;
  }
  let signing: Promise<void> | undefined;
  const sign = async (): Promise<void> => {
    try {
      const note = await writer.checkpoint();
      if (note !== undefined) answer({ kind: 'checkpoint', note });
    } catch {
      // The entries are durable and the next turn tries again; a disk that stays full fails the appends.
    }
    signing = undefined;
  };
  const timer = setInterval(() => {
    signing ??= sign();
  }, options.checkpointInterval);
  const end = async (): Promise<void> => {
    clearInterval(timer);
    await signing;
    await sign();
    writer.close();
    port.close();
  };
  port.on('message', (request: LogRequest) => {
    if (request === 'close') {
      void end();
      return;
    }
    try {
      const first = writer.append(Buffer.from(request.lines));
      answer({ kind: 'written', first, size: writer.size });
      writer.settle();
    } catch (error) {
      const final = !isFault(error, 'LOG_UNAVAILABLE') || error.details['final'] !== false;
      answer({ kind: 'failed', message: error instanceof Error ? error.message : String(error), final });
    }
  });
};

const start = async (
  options: LogThreadOptions,
  answer: (message: LogAnswer) => void,
): Promise<LogWriter | undefined> => {
  const { directory, keys, origin, rotate } = options;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const files = logFiles(directory);
    const exists = existsSync(files.checkpoint) || listSegments(directory).length > 0;
    const signer = loadSigner(keys, origin, exists);
    const key = formatVerifierKey(signer.key);
    const recovered = recover(directory, signer.key);
    const writer = createLogWriter(directory, signer, recovered, rotate);
    // A log that has entries always has a checkpoint: the first is of nothing.
    const note = recovered.checkpoint === undefined ? await writer.checkpoint() : recovered.note;
    if (textOf(files.key) !== `${key}\n`) writeWhole(files.key, `${key}\n`, 0o644);
    answer({ kind: 'ready', size: writer.size, key, note: note ?? '', droppedBytes: recovered.droppedBytes });
    return writer;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    answer({
      kind: 'refused',
      message: isFault(error) ? message : `the log cannot be opened: ${message}`,
    });
    return undefined;
  }
};

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'latin1') : '');

if (parentPort !== null) void serve(parentPort, workerData);
