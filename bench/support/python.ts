import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './files.ts';
import { run } from './processes.ts';

/** A virtual environment with exactly these packages, made once; resolves to its `bin` folder. */
export const python = (name: string, packages: readonly string[], systemPackages = false): string => {
  const folder = join(cacheFolder('python'), name);
  const bin = join(folder, 'bin');
  const stamp = join(folder, 'packages.txt');
  if (existsSync(stamp)) return bin;
  run('/usr/bin/python3', ['-m', 'venv', '--clear', ...(systemPackages ? ['--system-site-packages'] : []), folder]);
  run(join(bin, 'pip'), ['install', '-q', '--disable-pip-version-check', ...packages]);
  writeFileSync(stamp, packages.join('\n'));
  return bin;
};
