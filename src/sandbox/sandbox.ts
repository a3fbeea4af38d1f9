import { createHash } from 'node:crypto';
import { DEFAULT_LIMITS } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { loadPrograms } from './bundle.ts';
import { commandLine, findAddon, findTools, LEVELS, type Level, type Tools } from './command-line.ts';
import type { Init } from './frames.ts';
import type { Output } from './inspection.ts';
import { createPool } from './pool.ts';
import type { Sandbox, SandboxOptions, Source, Wall } from './types.ts';
import { missingWalls, observeWalls } from './walls.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

/** How many times its own limit a file may wait for a worker. */
const PATIENCE = 10;

/** What tests replace; no setting reaches it. */
export type Internals = {
  /** The script of the isolates instead of the parsers; it must define `inspectFile`. */
  readonly parsers?: string;
  /** Tools instead of this host's. */
  readonly tools?: Tools;
};

/**
 * Starts the sandbox with the strongest walls that this host allows. Throws SANDBOX_WALLS when those are weaker than
 * `options.require`, SANDBOX_CRASHED when no worker starts at all. Resolves when the first worker is ready; the others
 * follow.
 */
export const createSandbox = async (options: SandboxOptions, internals: Internals = {}): Promise<Sandbox> => {
  const programs = await loadPrograms();
  const parsers = internals.parsers ?? programs.parsers;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const counting = options.personalData === true ? { personalData: true } : {};
  const parts = {
    tools: internals.tools ?? findTools(),
    addon: findAddon(),
    workerFile: programs.workerFile,
    memory: options.memory,
  };
  const init: Init = { memory: options.memory, timeout: options.timeout };
  const start = async (level: Level): Promise<WorkerProcess> => {
    const line = commandLine(level, parts);
    if (line === undefined) throw new WeighbridgeError('SANDBOX_CRASHED', 'bubblewrap is not installed');
    return startWorker({ level, line, init, parsers });
  };
  const { first, walls } = await startStrongest(start);
  const missing = missingWalls(walls, options.require);
  if (missing.length > 0) {
    first.kill();
    throw new WeighbridgeError('SANDBOX_WALLS', refusal(missing, options.require), { require: options.require });
  }
  const pool = createPool(first, {
    size: Math.max(1, options.workers),
    memory: options.memory,
    patience: options.timeout * PATIENCE,
    reserve: options.noReserve === true ? 0 : 1,
    start: () => start(first.level),
  });
  /** Has a worker write bytes made of `source`. Throws NOT_CONVERTIBLE, which begins with `failed`, unless all were written. */
  const rewrite = async (failed: string, source: Source, what: object, { size, write }: Output): Promise<void> => {
    let written = 0;
    const counted = async (chunk: Uint8Array): Promise<void> => {
      await write(chunk);
      written += chunk.length;
    };
    const { coverage } = await pool.submit({
      source,
      signal: undefined,
      timeout: options.timeout,
      options: JSON.stringify({ limits, ...what }),
      output: { size, write: counted },
    });
    const why = coverage.state === 'complete' ? `${written} of ${size} bytes were written` : coverage.reason;
    if (coverage.state !== 'complete' || written !== size)
      throw new WeighbridgeError('NOT_CONVERTIBLE', `${failed}: ${why}`);
  };
  return {
    ruleset: createHash('sha256')
      .update(parsers)
      .update(JSON.stringify({ ...limits, ...counting }))
      .digest('hex'),
    inspect: (source, { provisional = false, signal } = {}) =>
      pool.submit({
        source,
        signal,
        timeout: options.timeout,
        options: JSON.stringify({ limits, provisional, ...counting }),
      }),
    withoutRows: (source, dropped, output) =>
      rewrite(
        'its rows cannot be left out',
        source,
        { dropped: dropped.map(({ first, last }) => ({ first, last })) },
        output,
      ),
    unwrap: (source, { by, size }, write) =>
      rewrite('it cannot be unwrapped', source, { wrapped: { by, size } }, { size, write }),
    walls: () => walls,
    stats: () => pool.stats(),
    close: () => pool.close(),
  };
};

/** The first worker, started as strongly as the host allows, and what stands around it. */
const startStrongest = async (
  start: (level: Level) => Promise<WorkerProcess>,
): Promise<{ first: WorkerProcess; walls: readonly Wall[] }> => {
  const failures: string[] = [];
  for (const level of LEVELS) {
    try {
      const first = await start(level);
      return { first, walls: observeWalls(first, failures.join('; ')) };
    } catch (error) {
      failures.push(`${level}: ${error instanceof Error ? error.message : 'failed'}`);
    }
  }
  throw new WeighbridgeError('SANDBOX_CRASHED', `no worker starts. ${failures.join('; ')}`);
};

/** Walls mostly are missing together and for one reason, which is told once. */
const refusal = (missing: readonly Wall[], require: string): string => {
  const names = missing.map(({ name }) => name).join(', ');
  const [why] = missing.map(({ name, detail }) => `${name}: ${detail}`);
  return `sandbox.require is ${require}, but these walls do not stand: ${names}. Of ${why}. \`weighbridge doctor\` says what to do about each`;
};
