/**
 * The program of a worker process: plain Node and isolated-vm, fed through two pipes, everything synchronous. It does
 * one inspection after the other, each in a fresh isolate, and trusts nothing that comes out of one.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type ivm from 'isolated-vm';
import {
  copyRequest,
  type Failure,
  type Init,
  type Job,
  KIND,
  READ_LIMIT,
  REPORT_LIMIT,
  type Ready,
  readRequest,
} from '../frames.ts';
import { receive, receiveText, send, sendText } from './channel.ts';
import { createIsolates, type Fresh } from './isolates.ts';

const loadIsolatedVm = (path: string): typeof ivm => {
  const addon: { exports: { ivm?: typeof ivm } } = { exports: {} };
  process.dlopen(addon, path);
  if (addon.exports.ivm === undefined) throw new Error(`${path} is not isolated-vm`);
  return addon.exports.ivm;
};

const isRefused = (attempt: () => unknown): boolean => {
  try {
    attempt();
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ERR_ACCESS_DENIED';
  }
};

/** Tries what the permission model forbids. Each attempt is harmless where it succeeds. */
const tryTheWalls = (): Ready => ({
  refused: {
    read: isRefused(() => readFileSync('/proc/self/status')),
    write: isRefused(() => writeFileSync('/dev/null', '')),
    spawn: isRefused(() => spawnSync(process.execPath, ['--version'], { timeout: 1000 })),
  },
});

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** One read for the isolate: asks the host and blocks. A wrong question is answered with an error, not passed on. */
const readRange =
  (size: number) =>
  (offset: unknown, length: unknown): Uint8Array => {
    if (!isCount(offset) || !isCount(length) || length > READ_LIMIT || offset + length > size) {
      throw new RangeError('a read outside the file');
    }
    send(KIND.read, readRequest(offset, length));
    const answer = receive();
    if (answer.kind !== KIND.bytes) throw new Error('the file cannot be read');
    return answer.payload;
  };

/** What the isolate writes, piece by piece: blocks until the host has dealt with it. */
const put = (kind: number, payload: Uint8Array): void => {
  send(kind, payload);
  if (receive().kind !== KIND.bytes) throw new Error('the file cannot be written');
};

const copy =
  (size: number) =>
  (start: unknown, end: unknown): void => {
    if (!isCount(start) || !isCount(end) || start > end || end > size) throw new RangeError('a copy outside the file');
    put(KIND.copy, copyRequest(start, end));
  };

const write = (bytes: unknown): void => {
  if (!(bytes instanceof Uint8Array) || bytes.length > READ_LIMIT) throw new RangeError('a piece that is too large');
  put(KIND.write, bytes);
};

const failure = (why: Failure['why'], message: string): Failure => ({ why, message: message.slice(0, 500) });

/** The report of one file as JSON, or why there is none; of one that is written anew, whether that was done. */
const run = (vm: typeof ivm, { isolate, inspectFile, rewriteFile }: Fresh, job: Job, init: Init): string | Failure => {
  const read = new vm.Callback(readRange(job.size));
  try {
    const options = { timeout: init.timeout, result: { copy: true } } as const;
    const output = [new vm.Callback(copy(job.size)), new vm.Callback(write)] as const;
    const report =
      job.task === 'inspect'
        ? inspectFile.applySync(undefined, [read, job.size, job.options], options)
        : rewriteFile.applySync(undefined, [read, job.size, job.options, ...output], options);
    return typeof report === 'string' && report.length <= REPORT_LIMIT
      ? report
      : failure('too-long', `the report is not a text of at most ${REPORT_LIMIT} bytes`);
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : 'a value was thrown';
    if (isolate.isDisposed) return failure('memory', message);
    return failure(message.includes('Script execution timed out') ? 'timeout' : 'error', message);
  } finally {
    if (!isolate.isDisposed) isolate.dispose();
  }
};

const main = (): void => {
  const vm = loadIsolatedVm(process.argv[2] ?? '');
  const init: Init = JSON.parse(receiveText(KIND.init));
  const isolates = createIsolates(vm, receiveText(KIND.script), init);
  isolates.refill();
  sendText(KIND.ready, JSON.stringify(tryTheWalls()));
  for (;;) {
    const job: Job = JSON.parse(receiveText(KIND.job));
    const result = run(vm, isolates.take(), job, init);
    if (typeof result === 'string') sendText(KIND.report, result);
    else sendText(KIND.failure, JSON.stringify(result));
    // An engine that hit a limit is not trusted with another file.
    if (typeof result !== 'string' && (result.why === 'timeout' || result.why === 'memory')) process.exit(0);
    isolates.refill();
  }
};

main();
