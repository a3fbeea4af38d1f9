import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Bench, median, type Row } from './support/bench.ts';
import { type Package, unpacked } from './support/packages.ts';

/** A file of a package, and what the default policy did with it when the line was written. */
type Listed = Package & { readonly path: string; readonly outcome: Outcome };
type Outcome = { readonly format: string; readonly action: string; readonly rule: string };

/** ms for all files together, far above what it takes. */
const TIMEOUT = 1_200_000;

/**
 * Weights and model data that people install from PyPI and npm: `real-weights.tsv` has those that must pass, with the rule
 * that let them; `real-weights-refused.tsv` those that are as benign but that we cannot prove inert, so that the figure
 * hides nothing. Fails when a file is judged otherwise than its line says.
 */
export const bench: Bench = {
  name: 'real-weights',
  title: 'Real weights from PyPI and npm under the default policy',
  async run() {
    const { passing, refused, paths, results } = check(() => true);
    return rowsOf(passing, refused, paths, results);
  },
};

/** Scans the listed files of some packages. Throws when one is judged otherwise than its line says. */
const check = (wanted: (file: Listed) => boolean) => {
  const passing = tableAt('real-weights.tsv').filter(wanted);
  const refused = tableAt('real-weights-refused.tsv').filter(wanted);
  const paths = [...passing, ...refused].map((file) => join(unpacked(file), file.path));
  const results = scan(paths);
  const wrong = [...passing, ...refused].flatMap((file, index) => {
    const now = results[index];
    return now !== undefined && lineOf(file, now) === lineOf(file, file.outcome) ? [] : [lineOf(file, now)];
  });
  const others = passing.filter(({ outcome }) => !['allow', 'convert'].includes(outcome.action));
  if (others.length > 0) throw new Error(`does not belong in real-weights.tsv: ${others.map(({ path }) => path)}`);
  if (wrong.length > 0) throw new Error(`judged otherwise than listed, these lines now read:\n${wrong.join('\n')}`);
  return { passing, refused, paths, results };
};

const tableAt = (name: string): Listed[] => {
  const [, ...lines] = readFileSync(join(import.meta.dirname, name), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const [package_ = '', version = '', registry, path = '', format = '', action = '', rule = ''] = line.split('\t');
    if (registry !== 'pypi' && registry !== 'npm') throw new Error(`${name}: no such registry in ${line}`);
    return { name: package_, version, registry, path, outcome: { format, action, rule } };
  });
};

const lineOf = ({ name, version, registry, path }: Listed, now: Outcome | undefined): string =>
  [name, version, registry, path, now?.format, now?.action, now?.rule].join('\t');

const scan = (paths: readonly string[]): (Outcome & { readonly ms: number })[] => {
  const program = resolve(import.meta.dirname, '..', 'bin', 'weighbridge.mjs');
  const options = { input: `${paths.join('\n')}\n`, encoding: 'utf8', maxBuffer: 1 << 28, timeout: TIMEOUT } as const;
  const policies = resolve(import.meta.dirname, '..', 'policies', 'default.yaml');
  const ran = spawnSync(process.execPath, [program, 'scan', '--json', '--policies', policies, '-'], options);
  const lines = ran.stdout.split('\n').filter(Boolean);
  if (lines.length !== paths.length) throw new Error(`${lines.length} answers for ${paths.length}: ${ran.stderr}`);
  return lines.map((line, index) => {
    const answer = JSON.parse(line);
    if (answer.path !== paths[index]) throw new Error(`answered ${answer.path} for ${paths[index]}`);
    return answer;
  });
};

const rowsOf = (
  passing: readonly Listed[],
  refused: readonly Listed[],
  paths: readonly string[],
  results: readonly { readonly ms: number }[],
): Row[] => {
  const count = (what: string, ours: number, unit: string, aim = ''): Row => ({ what, ours, unit, aim });
  const having = (files: readonly Listed[], action: string) =>
    files.filter(({ outcome }) => outcome.action === action).length;
  const packages = new Set(passing.map(({ name }) => name));
  const formats = new Set(passing.map(({ outcome }) => outcome.format));
  const sizes = paths.slice(0, passing.length).reduce((sum, path) => sum + statSync(path).size, 0);
  const times = results.slice(0, passing.length).map(({ ms }) => ms);
  return [
    count('files listed as passing', passing.length, 'files', '60'),
    count('packages they come from', packages.size, 'packages'),
    count('formats', formats.size, 'formats', '15'),
    count('their size', sizes / (1 << 20), 'MiB'),
    count('allowed', having(passing, 'allow'), 'files'),
    count('converted', having(passing, 'convert'), 'files'),
    count('refused', having(passing, 'deny'), 'files', '0'),
    count('quarantined', having(passing, 'quarantine'), 'files', '0'),
    count('a file, median', median(times), 'ms'),
    count('a file, slowest', Math.max(...times), 'ms'),
    count('others, as benign, that are refused: real-weights-refused.tsv', having(refused, 'deny'), 'files'),
    count('others, as benign, that are quarantined', having(refused, 'quarantine'), 'files'),
  ];
};

// `node bench/real-weights.ts PACKAGE...` checks the files of these packages alone, and writes no results.
if (import.meta.main) {
  const names = process.argv.slice(2);
  const { passing, refused } = check(({ name }) => names.includes(name));
  process.stdout.write(`${passing.length} files pass and ${refused.length} do not, as listed\n`);
}
