import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { WeighbridgeError } from '../errors.ts';
import { printable } from '../formats/format.ts';
import { type CommandLine, INFO_PIPE, type Level } from './command-line.ts';
import { createFrameReader, type Frame } from './frame-reader.ts';
import { frameHeader, type Init, KIND, PIPES, type Ready } from './frames.ts';

/** Milliseconds in which a worker must have made its snapshot and its first isolates, also on a busy machine. */
const START_TIMEOUT = 30_000;
/** Bytes of a worker's standard error that are kept for the message; the rest is thrown away. */
const STDERR_LIMIT = 2048;
/** Bytes of bubblewrap's note about the process id. */
const INFO_LIMIT = 4096;

/** Who hears what a worker says: one listener at a time. */
export type Listener = {
  frame(frame: Frame): void;
  /** The worker broke the rules of the pipe, or ended; `message` says how. It is dead or dying. */
  gone(code: 'SANDBOX_LIED' | Ending['code'], message: string): void;
};

/** How a worker ended: by itself, or by a signal from outside that no file can bring about. */
export type Ending = { readonly code: 'SANDBOX_CRASHED' | 'SANDBOX_UNAVAILABLE'; readonly message: string };

/** One living worker process. */
export type WorkerProcess = {
  /** The process id of Node itself, seen from the host: bubblewrap's own is another. */
  readonly pid: number;
  readonly level: Level;
  /** What the worker found refused when it tried at its start. */
  readonly refused: Ready['refused'];
  send(kind: number, payload: Uint8Array): void;
  listen(listener: Listener): void;
  /** SIGKILL; bubblewrap takes the worker with it. */
  kill(): void;
  readonly ended: Promise<Ending>;
};

type Start = { readonly level: Level; readonly line: CommandLine; readonly init: Init; readonly parsers: string };

/** Starts a worker and waits until it is ready. Throws SANDBOX_CRASHED, with what it said, when it does not get there. */
export const startWorker = async ({ level, line, init, parsers }: Start): Promise<WorkerProcess> => {
  const child = spawn(line.command, line.args, {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...(level === 'namespaces' ? ['pipe' as const] : [])],
  });
  const ended = whenEnded(child);
  const kill = (): void => void child.kill('SIGKILL');
  const toWorker = stream(child, PIPES.fromHost, Writable);
  const send = (kind: number, payload: Uint8Array): void => {
    toWorker.cork();
    toWorker.write(frameHeader(kind, payload.length));
    toWorker.write(payload);
    toWorker.uncork();
  };
  // A write to a worker that has just ended fails here; its end is reported by `ended`.
  toWorker.on('error', () => {});
  const listen = listening(child, ended, kill);
  try {
    const info = level === 'namespaces' ? innerProcess(child) : Promise.resolve(child.pid ?? 0);
    info.catch(() => {});
    const ready = firstFrame(listen);
    send(KIND.init, Buffer.from(JSON.stringify(init)));
    send(KIND.script, Buffer.from(parsers));
    const said: Ready = JSON.parse((await inTime(ready)).payload.toString());
    return { pid: await inTime(info), level, refused: said.refused, send, listen, kill, ended };
  } catch (error) {
    kill();
    throw error;
  }
};

const stream = <T extends Readable | Writable>(child: ChildProcess, fd: number, kind: new () => T): T => {
  const found = child.stdio[fd];
  if (found instanceof kind) return found;
  throw new WeighbridgeError('SANDBOX_CRASHED', 'the worker has no pipes');
};

const inTime = async <T>(promise: Promise<T>): Promise<T> => {
  const clock = new AbortController();
  const late = wait(START_TIMEOUT, undefined, { signal: clock.signal }).then(() => {
    throw new WeighbridgeError('SANDBOX_CRASHED', `the worker was not ready within ${START_TIMEOUT} ms`);
  });
  late.catch(() => {});
  return Promise.race([promise, late]).finally(() => clock.abort());
};

/** Signals with which people, service managers and the kernel (short of memory) end processes; bugs end by others. */
const FROM_OUTSIDE: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM'];
/** What bubblewrap adds to the signal of the program inside, in its own exit code. */
const SIGNAL_CODES = 128;

/** How the process ended, with the first words of its standard error. */
const whenEnded = (child: ChildProcess): Promise<Ending> => {
  let said = '';
  child.stderr?.setEncoding('latin1').on('data', (text: string) => {
    if (said.length < STDERR_LIMIT) said += text.slice(0, STDERR_LIMIT - said.length);
  });
  const words = (how: string): string => {
    if (/out of memory|Last few GCs/.test(said)) return `${how}, out of memory`;
    return said.trim() === '' ? how : `${how}: ${printable(said.trim(), 200)}`;
  };
  return new Promise((resolve) => {
    const tell = (code: Ending['code'], how: string): void =>
      resolve({ code, message: `the worker ended: ${words(how)}` });
    child.once('error', (error) => tell('SANDBOX_CRASHED', `it could not be started (${error.message})`));
    child.once('close', (code, signal) => {
      const outside = FROM_OUTSIDE.find((name) => name === signal || code === SIGNAL_CODES + constants.signals[name]);
      if (outside === undefined) tell('SANDBOX_CRASHED', signal === null ? `exit code ${code}` : `signal ${signal}`);
      else tell('SANDBOX_UNAVAILABLE', `signal ${outside}`);
    });
  });
};

/** Routes frames and the end of the worker to whoever listens now. */
const listening = (child: ChildProcess, ended: Promise<Ending>, kill: () => void): WorkerProcess['listen'] => {
  let listener: Listener | undefined;
  const reader = createFrameReader();
  const input = stream(child, PIPES.toHost, Readable);
  const lied = (): void => {
    input.destroy();
    kill();
    listener?.gone('SANDBOX_LIED', 'the worker broke the protocol of its pipe');
  };
  input.on('error', () => {});
  input.on('data', (chunk: Buffer) => {
    const frames = reader.push(chunk);
    if (frames === undefined) return lied();
    for (const frame of frames) listener?.frame(frame);
  });
  void ended.then(({ code, message }) => listener?.gone(code, message));
  return (next) => {
    listener = next;
  };
};

const firstFrame = (listen: WorkerProcess['listen']): Promise<Frame> =>
  new Promise((resolve, reject) => {
    listen({
      frame: (frame) =>
        frame.kind === KIND.ready
          ? resolve(frame)
          : reject(new WeighbridgeError('SANDBOX_LIED', 'the worker spoke before it was ready')),
      gone: (code, message) => reject(new WeighbridgeError(code, message)),
    });
  });

/** The process id that bubblewrap tells for the program inside. */
const innerProcess = async (child: ChildProcess): Promise<number> => {
  let text = '';
  for await (const chunk of stream(child, INFO_PIPE, Readable)) {
    text += String(chunk);
    if (text.length > INFO_LIMIT) break;
    const [, pid] = /"child-pid": *(\d+)/.exec(text) ?? [];
    if (pid !== undefined && text.includes('}')) return Number(pid);
  }
  throw new WeighbridgeError('SANDBOX_CRASHED', 'bubblewrap did not name its process');
};
