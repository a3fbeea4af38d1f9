import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { isFault } from '../errors.ts';
import type { Sandbox } from '../sandbox/types.ts';

/** Names of formats that are counted by themselves: what a worker says is a label, and it may be lying. */
const MAX_FORMATS = 200;
/** Upper bounds (s): a header is read in milliseconds, a data set for as long as `sandbox.timeout` lets it. */
const BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600];

/** The same sandbox, with what it does told to `registry`: time by format, faults by code, and how many files wait. */
export const measured = (sandbox: Sandbox, registry: Registry): Sandbox => {
  const registers = [registry];
  const time = new Histogram({
    name: 'weighbridge_inspection_seconds',
    help: 'Time from asking for an inspection to its report, with the wait for a worker',
    labelNames: ['format'] as const,
    buckets: BUCKETS,
    registers,
  });
  const faults = new Counter({
    name: 'weighbridge_sandbox_faults_total',
    help: 'Inspections that ended without saying anything about the file, by code',
    labelNames: ['code'] as const,
    registers,
  });
  const formats = new Set<string>();
  const labelOf = (format: string): string => {
    if (formats.size < MAX_FORMATS) formats.add(format);
    return formats.has(format) ? format : 'other';
  };
  let asked = 0;
  const waiting = (): number => {
    const { idle, workers } = sandbox.stats();
    return Math.max(0, asked - (workers - idle));
  };
  for (const [name, help, read] of [
    ['weighbridge_inspections_waiting', 'Files that wait for a worker of the sandbox', waiting],
    ['weighbridge_sandbox_workers', 'Workers of the sandbox that are alive', () => sandbox.stats().workers],
  ] as const)
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  return {
    ...sandbox,
    async inspect(source, options) {
      const from = performance.now();
      asked += 1;
      try {
        const report = await sandbox.inspect(source, options);
        const fault = report.details?.['sandbox'];
        if (typeof fault === 'string') faults.inc({ code: fault });
        time.observe({ format: labelOf(report.format) }, (performance.now() - from) / 1000);
        return report;
      } catch (error) {
        if (isFault(error, 'SANDBOX_UNAVAILABLE')) faults.inc({ code: error.code });
        throw error;
      } finally {
        asked -= 1;
      }
    },
  };
};
