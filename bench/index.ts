import type { Bench } from './support/bench.ts';
import { measureMachine } from './support/machine.ts';
import { tableOf, writeReadme, writeResult } from './support/report.ts';

/** Every bench by name; `npm run bench -- NAME...` runs some of them. */
const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  'download-warm': () => import('./download-warm.ts'),
  'download-cold': () => import('./download-cold.ts'),
  'cold-repo': () => import('./cold-repo.ts'),
  'small-files': () => import('./small-files.ts'),
  'first-byte': () => import('./first-byte.ts'),
  'judge-remote': () => import('./judge-remote.ts'),
  convert: () => import('./convert.ts'),
  inspect: () => import('./inspect.ts'),
  scanners: () => import('./scanners.ts'),
  'log-writer': () => import('./log-writer.ts'),
  log: () => import('./log.ts'),
  'real-weights': () => import('./real-weights.ts'),
  pickletools: () => import('./pickletools.ts'),
  datasets: () => import('./datasets.ts'),
};

const names = Object.keys(benches);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no such bench: ${unknown.join(', ')}. There are: ${names.join(', ')}\n`);
  process.exit(2);
}

for (const [name, load] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { bench } = await load();
  const machine = measureMachine();
  const rows = await bench.run();
  const result = { bench: name, title: bench.title, machine, rows };
  writeResult(result);
  writeReadme(names);
  process.stdout.write(`\n${tableOf(result)}`);
}
process.exit(0);
