import { join } from 'node:path';
import type { Bench } from './support/bench.ts';
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
 */
export const bench: Bench = {
  name: 'log-writer',
  title: 'Entries of the access log while a cold fill runs in the same process',
  async run() {
    const file = safetensorsFile(2048);
    const nginx = await startNginx();
    try {
      const program = join(import.meta.dirname, 'support', 'log-load.ts');
      const load = (rate: number): LogLoad => {
        run('sync', []);
        const args = [
          program,
          cacheFolder('run'),
          `${nginx.origin}/repos/${file.sha256}`,
          String(file.size),
          String(rate),
        ];
        return JSON.parse(run(process.execPath, args));
      };
      const [steady, most] = [load(10_000), load(Number.POSITIVE_INFINITY)];
      return [
        { what: 'steady load', ours: steady.perSecond, unit: 'entries/s', aim: '10,000' },
        { what: 'steady load: wait for durability, p99', ours: steady.wait99, unit: 'ms', aim: 'under 15 ms' },
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
