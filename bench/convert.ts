import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Bench, median } from './support/bench.ts';
import { cacheFolder } from './support/files.ts';
import { run, treeMemory } from './support/processes.ts';
import { pythonWithTorch } from './support/python.ts';
import { torchFile } from './support/torch-files.ts';

const ROUNDS = 3;
const MIB = 1 << 20;
/** ms between two looks at the memory of a program and the programs it started. */
const LOOK = 50;

const PEER = `
import sys, torch
from safetensors.torch import save_file
save_file(torch.load(sys.argv[1], map_location="cpu"), sys.argv[2])
`;

/** A checkpoint of 5 GB to safetensors, each as a program of its own, from a warm page cache to the disk. */
export const bench: Bench = {
  name: 'convert',
  title: 'Converting a 5 GB torch checkpoint against torch.load and save_file',
  async run() {
    const file = torchFile(5120);
    const folder = cacheFolder('run');
    const [ours, theirs] = [join(folder, 'ours.safetensors'), join(folder, 'theirs.safetensors')];
    const script = join(folder, 'convert.py');
    writeFileSync(script, PEER);
    const bin = pythonWithTorch();
    const weighbridge = resolve(import.meta.dirname, '..', 'bin', 'weighbridge.mjs');
    const measured: Record<'ours' | 'theirs', Measured[]> = { ours: [], theirs: [] };
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        measured.ours.push(await timed(process.execPath, [weighbridge, 'convert', file.file, ours]));
        measured.theirs.push(await timed(join(bin, 'python'), [script, file.file, theirs]));
        if (round === 0) checkEqual(join(bin, 'python'), ours, theirs);
        for (const path of [ours, theirs]) rmSync(path);
      }
    } finally {
      for (const path of [ours, theirs]) rmSync(path, { force: true });
    }
    const rate = (all: readonly Measured[]): number => median(all.map(({ seconds }) => file.size / seconds / 1e9));
    const memory = (all: readonly Measured[]): number => Math.max(...all.map(({ bytes }) => bytes / MIB));
    const [mine, peer] = [rate(measured.ours), rate(measured.theirs)];
    const peerName = 'torch 1.13';
    return [
      { what: '5 GB', ours: mine, peer, peerName, unit: 'GB/s', ratio: mine / peer, aim: '2' },
      {
        what: 'peak memory, all processes',
        ours: memory(measured.ours),
        peer: memory(measured.theirs),
        peerName,
        unit: 'MiB',
        ratio: memory(measured.theirs) / memory(measured.ours),
        aim: 'under 300 MB',
      },
    ];
  },
};

type Measured = { readonly seconds: number; readonly bytes: number };

/** Runs a program after everything earlier has been written to the disk; its memory is that of its whole tree. */
const timed = async (command: string, args: readonly string[]): Promise<Measured> => {
  run('sync', []);
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let bytes = 0;
  const timer = setInterval(() => {
    bytes = Math.max(bytes, treeMemory(child.pid ?? 0));
  }, LOOK);
  const code = await new Promise((done) => child.once('exit', done));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return { seconds: (performance.now() - began) / 1000, bytes };
};

const COMPARE = `
import sys
from safetensors import safe_open
import torch
with safe_open(sys.argv[1], "pt") as a, safe_open(sys.argv[2], "pt") as b:
    assert sorted(a.keys()) == sorted(b.keys())
    for name in a.keys():
        x, y = a.get_tensor(name), b.get_tensor(name)
        assert x.dtype == y.dtype and x.shape == y.shape and torch.equal(x.view(torch.int32), y.view(torch.int32)), name
`;

/** A fast wrong answer would be worth nothing. */
const checkEqual = (interpreter: string, ours: string, theirs: string): void => {
  run(interpreter, ['-c', COMPARE, ours, theirs]);
};
