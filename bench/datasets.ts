import { readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { MIB } from '../src/bytes/limits.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import type { Sandbox } from '../src/sandbox/types.ts';
import type { Bench, Row } from './support/bench.ts';
import { archiveOfTexts, convertedFiles, jsonLinesFile } from './support/dataset-files.ts';

const CLEAN = 1_000_000;
const LOOK_ALIKES = 300_000;
/** Members of an archive, each of which is a file that every format is asked about. */
const MEMBERS = 30_000;
/** What the gateway gives by default. */
const OPTIONS = { workers: 1, memory: 512 * MIB, timeout: 120_000, require: 'isolate' } as const;

/** Clock ticks of the kernel in a second. */
const TICKS = 100;

/**
 * One worker of the real sandbox, a fresh isolate for each file, the file read from disk by the host: megabytes of the
 * file in a second of the worker's processor time, which other work on the machine does not lengthen much, and how much
 * memory the worker held at most. Fails when a report is not complete.
 */
export const bench: Bench = {
  name: 'datasets',
  title: 'Inspecting a dataset of a million rows, and one of many small files, in the sandbox, one core',
  async run() {
    const clean = jsonLinesFile(CLEAN, 'clean');
    const close = jsonLinesFile(LOOK_ALIKES, 'look-alikes');
    const [cleanTables, closeTables] = [convertedFiles(clean), convertedFiles(close)];
    const files = [
      { what: 'JSON Lines, a million rows', path: clean.file, aim: 50 },
      { what: 'Parquet, the same rows', path: cleanTables.parquet, aim: 50 },
      { what: 'CSV, the same rows', path: cleanTables.csv, aim: 50 },
      { what: 'JSON Lines, every row a candidate', path: close.file, aim: 5 },
      { what: 'Parquet, every row a candidate', path: closeTables.parquet, aim: 5 },
      { what: 'CSV, every row a candidate', path: closeTables.csv, aim: 5 },
      { what: 'zip of 30,000 texts of a line each', path: archiveOfTexts(MEMBERS).file, aim: 3 },
    ];
    const rows: Row[] = [];
    for (const { what, path, aim } of files) {
      const { rate, wall, peak } = await measure(path);
      rows.push({ what, ours: rate, unit: 'MB/s', aim: String(aim) });
      rows.push({ what: `${what}: by the clock`, ours: wall, unit: 'MB/s', aim: '' });
      rows.push({ what: `${what}: peak memory of the worker`, ours: peak, unit: 'MiB', aim: '' });
    }
    return rows;
  },
};

type Measured = { readonly rate: number; readonly wall: number; readonly peak: number };

const measure = async (path: string): Promise<Measured> => {
  const sandbox = await createSandbox(OPTIONS);
  try {
    const processes = children(process.pid);
    const used = (): number => processes.reduce((sum, pid) => sum + processorTime(pid), 0);
    const megabytes = (await stat(path)).size / 1e6;
    const [began, spent] = [performance.now(), used()];
    await inspect(sandbox, path, megabytes * 1e6);
    const wall = megabytes / ((performance.now() - began) / 1000);
    return { rate: megabytes / (used() - spent), wall, peak: Math.max(...processes.map(peakMemory)) / MIB };
  } finally {
    await sandbox.close();
  }
};

const inspect = async (sandbox: Sandbox, path: string, size: number): Promise<void> => {
  const handle = await open(path);
  try {
    const { coverage, findings } = await sandbox.inspect({
      size,
      async read(offset, length) {
        const bytes = new Uint8Array(length);
        await handle.read(bytes, 0, length, offset);
        return bytes;
      },
    });
    if (coverage.state !== 'complete') throw new Error(`${path}: ${coverage.state}, ${coverage.reason}`);
    if (findings.some(({ severity }) => severity !== 'info' && severity !== 'low'))
      throw new Error(`${path}: ${JSON.stringify(findings[0])}`);
  } finally {
    await handle.close();
  }
};

/** Processes that descend from `pid`. */
const children = (pid: number): readonly number[] => {
  const own = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return own.flatMap((child) => [child, ...children(child)]);
};

/** Seconds of processor time that a process has used. */
const processorTime = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};

/** The most that a process held at a time, in bytes. */
const peakMemory = (pid: number): number => {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
};
