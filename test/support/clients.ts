import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientEnvironment, type PythonEnvironment, readyFolder } from './environments.ts';

/** Milliseconds after which a client is ended, unless the test says otherwise. */
const TIMEOUT_MS = 120_000;
/** Bytes kept of each output. */
const OUTPUT_BYTES = 8 * 1024 * 1024;

export type ClientOptions = {
  /** Added to a small clean environment: nothing of the developer's settings reaches the client. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** ms. */
  readonly timeout?: number;
  /** Working directory; a fresh one, removed afterwards, when left out. HOME and HF_HOME lie in it. */
  readonly directory?: string;
};

export type ClientResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/**
 * Runs a Python script with the client libraries of `name`. Resolves with whatever exit code; rejects when the time is
 * over, after everything that it had started is gone.
 */
export const runPython = (
  name: PythonEnvironment,
  script: string,
  options: ClientOptions = {},
): Promise<ClientResult> =>
  runProgram(join(readyFolder(name), 'bin/python'), ['-c', script, ...(options.args ?? [])], options);

/** Runs a command that a client library installs: `hf`, `datasets-cli`. */
export const runCommand = (
  name: ClientEnvironment,
  command: string,
  options: ClientOptions = {},
): Promise<ClientResult> => runProgram(join(readyFolder(name), 'bin', command), options.args ?? [], options);

/** Runs an ES module that may import the JavaScript clients of `test/clients/js`. */
export const runJavaScript = (script: string, options: Omit<ClientOptions, 'directory'> = {}): Promise<ClientResult> =>
  // Bare imports of an evaluated module resolve from the working directory.
  runProgram(process.execPath, ['--input-type=module', '-e', script, '--', ...(options.args ?? [])], {
    ...options,
    directory: readyFolder('js' satisfies ClientEnvironment),
  });

/** The last line of a client's output as JSON. Throws with the whole output when there is none. */
export const jsonFrom = ({ code, stdout, stderr }: ClientResult): unknown => {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(last);
  } catch {
    throw new Error(`no JSON in the last line (exit code ${code}):\n${stdout}\n${stderr}`);
  }
};

/** Runs any program as a client: clean environment, bounded output, the whole process group ended at the time-out. */
export const runProgram = async (
  program: string,
  args: readonly string[],
  options: ClientOptions = {},
): Promise<ClientResult> => {
  const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-client-'));
  const { timeout = TIMEOUT_MS, directory = scratch } = options;
  const child = spawn(program, args, {
    cwd: directory,
    env: { ...cleanEnvironment(scratch), ...options.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endGroup(child);
  }, timeout);
  try {
    const [code, stdout, stderr] = await Promise.all([exited(child), collected(child.stdout), collected(child.stderr)]);
    if (late) throw new Error(`${program} did not end within ${timeout} ms:\n${stdout}\n${stderr}`);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    endGroup(child);
    running.delete(child);
    rmSync(scratch, { recursive: true, force: true });
  }
};

const cleanEnvironment = (scratch: string): Record<string, string> => {
  const kept = Object.entries(process.env).filter(([name]) => name === 'PATH' || name.startsWith('OPENBLAS_'));
  return {
    ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ''])),
    HOME: scratch,
    HF_HOME: join(scratch, 'hf'),
    TMPDIR: scratch,
    LANG: 'C.UTF-8',
    PYTHONDONTWRITEBYTECODE: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    // Two threads at most: test files run beside each other.
    OMP_NUM_THREADS: '2',
    TOKENIZERS_PARALLELISM: 'false',
  };
};

const exited = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    // Not `close`: a grandchild that keeps the pipes open must not keep the test.
    child.once('exit', (code) => {
      endGroup(child);
      resolve(code ?? -1);
    });
  });

const collected = async (stream: NodeJS.ReadableStream | null): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    const bytes = Buffer.from(chunk);
    if (size < OUTPUT_BYTES) chunks.push(bytes);
    size += bytes.length;
  }
  return Buffer.concat(chunks).subarray(0, OUTPUT_BYTES).toString('utf8');
};

const running = new Set<ChildProcess>();

const endGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
};

process.once('exit', () => {
  for (const child of running) endGroup(child);
});
