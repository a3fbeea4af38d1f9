import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Row } from './support/bench.ts';
import { measureMachine } from './support/machine.ts';

/** Every bench by name; `npm run bench -- NAME...` runs some of them. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {};

const format = (value: number): string => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

const line = ({ what, ours, peer, peerName, unit, ratio, aim }: Row): string => {
  const against = peer === undefined ? '' : `${format(peer)} ${unit} (${peerName})`;
  return `| ${what} | ${format(ours)} ${unit} | ${against} | ${ratio === undefined ? '' : ratio.toFixed(2)} | ${aim} |`;
};

const wanted = process.argv.slice(2);
for (const [name, load] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const bench = await load();
  const machine = measureMachine();
  const rows = await bench.run();
  const result = { bench: name, title: bench.title, machine, rows };
  writeFileSync(join(import.meta.dirname, 'results', `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`\n## ${bench.title}\n\n`);
  process.stdout.write(`sha256 ${machine.sha256MBs} MB/s, fdatasync ${machine.fdatasyncPerSecond} /s\n\n`);
  process.stdout.write('| what | Weighbridge | peer | ratio | aim |\n|---|---|---|---|---|\n');
  for (const row of rows) process.stdout.write(`${line(row)}\n`);
}
