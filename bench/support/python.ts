import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './files.ts';
import { run } from './processes.ts';

/** A virtual environment with exactly these packages, made once; resolves to its `bin` folder. */
export const python = (name: string, packages: readonly string[], systemPackages = false): string => {
  const folder = join(cacheFolder('python'), name);
  const bin = join(folder, 'bin');
  const stamp = join(folder, 'packages.txt');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === packages.join('\n')) return bin;
  run('/usr/bin/python3', ['-m', 'venv', '--clear', ...(systemPackages ? ['--system-site-packages'] : []), folder]);
  run(join(bin, 'pip'), ['install', '-q', '--disable-pip-version-check', ...packages]);
  writeFileSync(stamp, packages.join('\n'));
  return bin;
};

/** Debian's torch, which needs no CUDA, with safetensors beside it. */
export const pythonWithTorch = (): string => {
  const hasTorch = () => spawnSync('/usr/bin/python3', ['-c', 'import torch']).status === 0;
  if (!hasTorch()) {
    run('apt-get', ['update']);
    run('apt-get', ['install', '-y', '--no-install-recommends', 'python3-torch', 'python3-venv']);
  }
  return python('torch', ['safetensors==0.4.5'], true);
};
