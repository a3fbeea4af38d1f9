import { readFileSync } from 'node:fs';
import { KIB, MIB } from '../bytes/limits.ts';
import type { SandboxFault } from './opaque.ts';

/** Milliseconds between two looks at the running workers; at 2 GB/s of growth, 40 MB of overshoot. */
const INTERVAL = 20;
/** Resident bytes of a worker beside its isolates: Node, libc, the snapshot and two unused isolates. */
const RUNTIME_RESIDENT = 192 * MIB;
/** How often the allowed time an inspection may take when reads of a slow source are counted too. */
const READING_FACTOR = 10;

/** Where the time of one inspection goes: the parser's own, and waiting for the source. */
export type Stopwatch = {
  /** From now on the time is the source's. */
  reading(): void;
  /** From now on the time is the parser's. */
  computing(): void;
  /** Milliseconds of the parser's own time so far. */
  computed(): number;
  /** Why the inspection must end now, if it must. */
  expired(): SandboxFault | undefined;
};

const late = (message: string): SandboxFault => ({ code: 'SANDBOX_TIMEOUT', message });

/** A stopwatch over `timeout` milliseconds, for the parser and for each read; ten times that for all together. */
export const createStopwatch = (timeout: number): Stopwatch => {
  const begun = performance.now();
  let since = begun;
  let reads = false;
  let used = 0;
  const elapsed = (): number => performance.now() - since;
  return {
    reading() {
      used += elapsed();
      since = performance.now();
      reads = true;
    },
    computing() {
      since = performance.now();
      reads = false;
    },
    computed: () => (reads ? used : used + elapsed()),
    expired() {
      if (reads && elapsed() > timeout) return late(`a read was not answered within ${timeout} ms`);
      if (this.computed() > timeout) return late(`the inspection took longer than ${timeout} ms`);
      if (performance.now() - begun > timeout * READING_FACTOR) return late('the source is too slow to inspect');
      return undefined;
    },
  };
};

/** Bytes of memory that process `pid` holds; undefined where the platform does not say. */
export const residentMemory = (pid: number): number | undefined => {
  try {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kib === undefined ? undefined : Number(kib) * KIB;
  } catch {
    return undefined;
  }
};

type Watched = { readonly pid: number; readonly stopwatch: Stopwatch; readonly end: (fault: SandboxFault) => void };

/** Watches running inspections; ends those that take too long or hold too much. It rests while nothing runs. */
export const createWatch = (memory: number): ((watched: Watched) => () => void) => {
  const all = new Set<Watched>();
  const limit = 2 * memory + RUNTIME_RESIDENT;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    for (const watched of [...all]) {
      const resident = residentMemory(watched.pid) ?? 0;
      const fault: SandboxFault | undefined =
        resident > limit
          ? { code: 'SANDBOX_MEMORY', message: `the inspection needed more than ${limit} bytes of memory` }
          : watched.stopwatch.expired();
      if (fault !== undefined) watched.end(fault);
    }
  };
  return (watched) => {
    all.add(watched);
    timer ??= setInterval(look, INTERVAL);
    return () => {
      all.delete(watched);
      if (all.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
};
