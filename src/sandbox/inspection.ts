import { WeighbridgeError } from '../errors.ts';
import type { Report } from '../formats/format.ts';
import { readFailure, readReport } from './answer.ts';
import type { Frame } from './frame-reader.ts';
import { KIND, parseCopyRequest, parseReadRequest, READ_LIMIT } from './frames.ts';
import { opaqueReport, type SandboxFault } from './opaque.ts';
import type { Source } from './types.ts';
import { createStopwatch, type createWatch, type Stopwatch } from './watch.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Milliseconds for a worker to finish an inspection that nobody wants any more; then it is replaced. */
const GRACE = 1000;

/** Where a file that is written anew goes. `size` is what it must have: more is never taken. */
export type Output = { readonly size: number; write(chunk: Uint8Array): Promise<void> };

/** One inspection as the pool asks for it. */
export type Request = {
  readonly source: Source;
  /** JSON for the parsers' `inspect`. */
  readonly options: string;
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
  /** Makes the task a file that is written anew. */
  readonly output?: Output;
};

export type Running = {
  /** The report; rejects with the source's fault, CANCELLED, or SANDBOX_UNAVAILABLE (`details.begun`: it had asked for bytes). */
  readonly report: Promise<Report>;
  /** When the worker is free again: true when it may have the next file, false when it must be replaced. */
  readonly released: Promise<boolean>;
  readonly stopwatch: Stopwatch;
};

/** Runs one inspection in an idle worker. What the worker does wrong ends as an opaque report and as its replacement. */
export const runInspection = (
  worker: WorkerProcess,
  request: Request,
  watch: ReturnType<typeof createWatch>,
): Running => {
  const { source, signal } = request;
  const report = Promise.withResolvers<Report>();
  const released = Promise.withResolvers<boolean>();
  const stopwatch = createStopwatch(request.timeout);
  let written = 0;
  let begun = false;
  let state: 'computing' | 'reading' | 'unwanted' | 'over' = 'computing';
  let grace: NodeJS.Timeout | undefined;

  const release = (healthy: boolean): void => {
    state = 'over';
    clearTimeout(grace);
    unwatch();
    signal?.removeEventListener('abort', cancel);
    released.resolve(healthy);
  };
  /** The inspection failed through the worker or its limits, which ends the worker too. */
  const fail = (fault: SandboxFault): void => {
    if (state === 'over') return;
    report.resolve(opaqueReport(source.size, fault));
    worker.kill();
    release(false);
  };
  /** Something ended the worker that is not the file's doing: nothing is said of the file. */
  const lose = (message: string): void => {
    if (state === 'over') return;
    report.reject(new WeighbridgeError('SANDBOX_UNAVAILABLE', `${message}; the file was not judged`, { begun }));
    release(false);
  };
  /** The caller gets `error` at once; the worker is let finish for a moment, every read failing. */
  const abandon = (error: unknown): void => {
    if (state === 'over' || state === 'unwanted') return;
    report.reject(error);
    if (state === 'reading') worker.send(KIND.fault, new Uint8Array(0));
    state = 'unwanted';
    stopwatch.computing();
    grace = setTimeout(() => fail({ code: 'SANDBOX_TIMEOUT', message: 'abandoned' }), GRACE);
  };
  const cancel = (): void => abandon(new WeighbridgeError('CANCELLED', 'the inspection was cancelled'));

  const answerRead = async (offset: number, length: number): Promise<void> => {
    try {
      const bytes = await source.read(offset, length);
      if (state !== 'reading') return;
      if (bytes.length !== length) throw new Error(`the source gave ${bytes.length} bytes where ${length} were asked`);
      state = 'computing';
      stopwatch.computing();
      worker.send(KIND.bytes, bytes);
    } catch (error) {
      abandon(error);
    }
  };
  const read = (payload: Uint8Array): void => {
    const range = parseReadRequest(payload);
    begun = true;
    if (state === 'unwanted') worker.send(KIND.fault, new Uint8Array(0));
    else if (state !== 'computing' || range === undefined || !isInside(range, source.size)) {
      fail({ code: 'SANDBOX_LIED', message: 'the worker asked for bytes that are not in the file' });
    } else {
      state = 'reading';
      stopwatch.reading();
      void answerRead(range.offset, range.length);
    }
  };
  /** Deals with a piece of the file that is written; the worker waits for it as for a read. */
  const put = async (length: number, work: (output: Output) => Promise<void>): Promise<void> => {
    if (state === 'unwanted') return worker.send(KIND.fault, new Uint8Array(0));
    const { output } = request;
    if (state !== 'computing' || output === undefined || !(length <= output.size - written)) {
      return fail({ code: 'SANDBOX_LIED', message: 'the worker wrote what it was not asked for' });
    }
    written += length;
    begun = true;
    state = 'reading';
    stopwatch.reading();
    try {
      await work(output);
      if (state !== 'reading') return;
      state = 'computing';
      stopwatch.computing();
      worker.send(KIND.bytes, new Uint8Array(0));
    } catch (error) {
      abandon(error);
    }
  };
  const copy = (payload: Uint8Array): void => {
    const { start, end } = parseCopyRequest(payload) ?? { start: 0, end: Number.NaN };
    const inside = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end <= source.size;
    void put(inside && start <= end ? end - start : Number.NaN, async ({ write }) => {
      for (let at = start; at < end && state === 'reading'; at += READ_LIMIT)
        await write(await source.read(at, Math.min(READ_LIMIT, end - at)));
    });
  };

  const finish = ({ kind, payload }: Frame): void => {
    const answer = kind === KIND.report ? understood(payload, source.size) : readFailure(payload.toString());
    const fault = 'code' in answer ? answer : undefined;
    if (state === 'reading') fail({ code: 'SANDBOX_LIED', message: 'the worker answered while it was reading' });
    else if (fault !== undefined && fault.code !== 'SANDBOX_CRASHED') fail(fault);
    else {
      // Of an inspection that nobody wants any more the report was rejected before, and this says nothing.
      report.resolve('code' in answer ? opaqueReport(source.size, answer) : answer);
      release(true);
    }
  };

  const unwatch = watch({ pid: worker.pid, stopwatch, end: fail });
  worker.listen({
    frame(frame) {
      if (state === 'over') return;
      if (frame.kind === KIND.read) read(frame.payload);
      else if (frame.kind === KIND.copy) copy(frame.payload);
      else if (frame.kind === KIND.write) void put(frame.payload.length, ({ write }) => write(frame.payload));
      else finish(frame);
    },
    gone: (code, message) => (code === 'SANDBOX_UNAVAILABLE' ? lose(message) : fail({ code, message })),
  });
  signal?.addEventListener('abort', cancel);
  worker.send(
    KIND.job,
    Buffer.from(
      JSON.stringify({
        task: request.output === undefined ? 'inspect' : 'rewrite',
        size: source.size,
        options: request.options,
      }),
    ),
  );
  return { report: report.promise, released: released.promise, stopwatch };
};

const isInside = ({ offset, length }: { offset: number; length: number }, size: number): boolean =>
  Number.isSafeInteger(offset) && offset >= 0 && length > 0 && length <= READ_LIMIT && offset + length <= size;

const understood = (payload: Buffer, size: number): Report | SandboxFault => {
  try {
    return readReport(payload.toString(), size);
  } catch (error) {
    return { code: 'SANDBOX_LIED', message: error instanceof Error ? error.message : 'the report cannot be read' };
  }
};
