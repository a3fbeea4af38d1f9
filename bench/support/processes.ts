import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process of a bench's own; `stop` ends it by its id and waits. */
export type Running = { readonly pid: number; readonly port: number; stop(): Promise<void> };

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A port that nobody listens on at this moment. */
export const freePort = async (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });

/** Starts a program and waits until `ready` says that it answers. */
export const start = async (
  command: string,
  args: readonly string[],
  port: number,
  options: { env?: Record<string, string>; ready?: string; cwd?: string } = {},
): Promise<Running> => {
  const env = { ...process.env, ...options.env };
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  running.add(child);
  let said = '';
  const listen = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-4000);
  };
  child.stdout?.on('data', listen);
  child.stderr?.on('data', listen);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.once('exit', () => running.delete(child));
  const began = Date.now();
  const url = `http://127.0.0.1:${port}${options.ready ?? '/'}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${said}`);
    if (Date.now() - began > 60_000) throw new Error(`${command} does not answer at ${url}: ${said}`);
    const answered = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      async (answer) => {
        await answer.body?.cancel();
        return true;
      },
      () => false,
    );
    if (answered) break;
    await sleep(50);
  }
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill('SIGTERM');
      await Promise.race([ended, sleep(5000)]);
      child.kill('SIGKILL');
      await ended;
    },
  };
};

/** Runs a command to its end. Throws with its output when it fails. */
export const run = (
  command: string,
  args: readonly string[],
  options: { input?: string; cwd?: string } = {},
): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 1_800_000,
    ...options,
  });
  if (error !== undefined || status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr.slice(-2000)}`);
  return stdout;
};

/** The path of a program that a Debian package brings; installed now when it is missing and this is root. */
export const debian = (program: string, name = program): string => {
  const find = (): string => spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
  if (find() === '') {
    run('apt-get', ['update']);
    run('apt-get', ['install', '-y', '--no-install-recommends', name]);
  }
  const path = find();
  if (path === '') throw new Error(`${program} is missing: install the Debian package ${name}`);
  return path;
};

/** Resident memory of a process and of all that it started, in bytes; what is shared is counted by each. */
export const treeMemory = (pid: number): number => {
  try {
    const resident = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return children.reduce((sum, child) => sum + treeMemory(child), resident);
  } catch {
    return 0;
  }
};
