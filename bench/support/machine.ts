import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from './files.ts';

/** What this machine can do by itself, to read absolute figures by. */
export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly sha256MBs: number;
  readonly fdatasyncPerSecond: number;
  /** Runnable processes over the last minute, before the bench began: what else the machine was doing. */
  readonly load: number;
  readonly date: string;
};

export const measureMachine = (): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  sha256MBs: Math.round(sha256Rate()),
  fdatasyncPerSecond: Math.round(fsyncRate()),
  load: Number((loadavg()[0] ?? 0).toFixed(1)),
  date: new Date().toISOString().slice(0, 10),
});

const sha256Rate = (): number => {
  const block = Buffer.alloc(1 << 20, 7);
  const began = performance.now();
  const hash = createHash('sha256');
  for (let mib = 0; mib < 512; mib += 1) hash.update(block);
  hash.digest();
  return (512 * 1.048576) / ((performance.now() - began) / 1000);
};

const fsyncRate = (): number => {
  const path = join(cacheFolder(), `fsync-${process.pid}`);
  const file = openSync(path, 'w');
  try {
    const began = performance.now();
    for (let count = 0; count < 100; count += 1) {
      writeSync(file, 'x'.repeat(500));
      fdatasyncSync(file);
    }
    return 100 / ((performance.now() - began) / 1000);
  } finally {
    closeSync(file);
    rmSync(path);
  }
};
