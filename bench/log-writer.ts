import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, percentile } from './support/bench.ts';
import { cacheFolder, safetensorsFile } from './support/files.ts';
import { run } from './support/processes.ts';
import { startNginx } from './support/servers.ts';

/** What bench/support/log-load.ts prints. */
export type LogLoad = {
  readonly perSecond: number;
  readonly wait99: number;
  readonly delay99: number;
  readonly fillMBs: number;
};

/**
 * Entries through the whole writer (line, batch, durable file, tree, signed checkpoints) in a process that fills its
 * store from nginx meanwhile: at a steady 10,000 a second, half of them waited for as decisions are, and as many as go in.
 * The peer of the waits is what the disk gives anyone beside the same fill: a bare loop that appends and syncs.
 */
export const bench: Bench = {
  name: 'log-writer',
  title: 'Entries of the access log while a cold fill runs in the same process',
  async run() {
    const file = safetensorsFile(2048);
    const nginx = await startNginx();
    try {
      const program = join(import.meta.dirname, 'support', 'log-load.ts');
      const argsOf = (rate: number): string[] => {
        run('sync', []);
        return [program, cacheFolder('run'), `${nginx.origin}/repos/${file.sha256}`, String(file.size), String(rate)];
      };
      const load = (rate: number): LogLoad => JSON.parse(run(process.execPath, argsOf(rate)));
      const [steady, most] = [load(10_000), load(Number.POSITIVE_INFINITY)];
      const bare = await bareWaits(argsOf(0));
      return [
        { what: 'steady load', ours: steady.perSecond, unit: 'entries/s', aim: '10,000' },
        {
          what: 'steady load: wait for durability, p99',
          ours: steady.wait99,
          peer: bare,
          peerName: 'bare loop',
          unit: 'ms',
          ratio: bare / steady.wait99,
          aim: 'under 15 ms',
        },
        { what: 'steady load: event-loop delay, p99', ours: steady.delay99, unit: 'ms', aim: 'under 10 ms' },
        { what: 'steady load: the cold fill beside it', ours: steady.fillMBs, unit: 'MB/s', aim: '' },
        { what: 'full load, 64 requests at once', ours: most.perSecond, unit: 'entries/s', aim: '10,000' },
        { what: 'full load: wait for durability, p99', ours: most.wait99, unit: 'ms', aim: '' },
        { what: 'full load: the cold fill beside it', ours: most.fillMBs, unit: 'MB/s', aim: '' },
      ];
    } finally {
      await nginx.stop();
    }
  },
};

/** Bytes of a batch at 10,000 entries a second. */
const BATCH = 20_480;
/** ms that a fill runs before anything is measured, as with the log. */
const LEAD = 2000;

/** The 99th percentile of the ms that a loop of append and sync keeps someone waiting who comes at any time, beside a fill alone. */
const bareWaits = async (args: readonly string[]): Promise<number> => {
  const folder = mkdtempSync(join(cacheFolder('run'), 'bare-'));
  const fill = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise<void>((done) => fill.once('exit', () => done()));
  let running = true;
  void ended.then(() => {
    running = false;
  });
  const file = await open(join(folder, 'log'), 'w');
  const waits: number[] = [];
  const began = performance.now();
  for (let last = began; running; ) {
    await sleep(2);
    const due = performance.now();
    await file.write(Buffer.alloc(BATCH, 65));
    await file.datasync();
    const now = performance.now();
    if (due - began > LEAD) for (let came = last; came < due; came += 1) waits.push(now - came);
    last = due;
  }
  await ended;
  await file.close();
  await rm(folder, { recursive: true, force: true });
  return percentile(waits, 0.99);
};
