// Everything about the code that can be checked without running it. Prints each step; ends with `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

const root = join(import.meta.dirname, '..');
const LICENCES = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'Unlicense'];

const steps = [
  ['types', 'tsc', '--noEmit', '-p', '.'],
  ['format and lint', 'biome', 'ci', '--error-on-warnings', '--colors=off', '.'],
  ['lint with types', 'oxlint', '--type-aware', '--deny-warnings', '--format=unix'],
  ['unused code', 'knip', '--no-progress'],
  ['licences', 'license-checker-rseidelsohn', '--production', '--excludePrivatePackages', '--onlyAllow', LICENCES.join(';'), '--summary'],
];

/** Ten times what the slowest step takes on a busy machine. */
const TIMEOUT = 300_000;
const path = `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`;

const passes = ([name, command, ...args]) => {
  const from = performance.now();
  const options = { cwd: root, encoding: 'utf8', timeout: TIMEOUT, env: { ...process.env, PATH: path, NO_COLOR: '1' } };
  const { status, stdout, stderr, error } = spawnSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
  if (status !== 0) console.log(`${stdout}${stderr}${error ?? ''}`);
  return status === 0;
};

const wanted = process.argv.slice(2);
const results = steps.filter(([name]) => wanted.length === 0 || wanted.includes(name)).map(passes);
const failed = results.filter((passed) => !passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && results.length > 0 ? 0 : 1;
