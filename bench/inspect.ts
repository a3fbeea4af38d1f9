import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Bench, median, type Row } from './support/bench.ts';
import { safetensorsFile } from './support/files.ts';
import { run } from './support/processes.ts';
import { python } from './support/python.ts';
import { torchFile } from './support/torch-files.ts';

const TIMES = 8;

/** The same call of each peer's own library again and again, timed inside its process; prints seconds. */
const PEERS = [
  {
    name: 'picklescan',
    version: '1.0.5',
    import: 'from picklescan.scanner import scan_file_path as scan',
    reads: ['torch'],
  },
  {
    name: 'modelscan',
    version: '0.8.8',
    import: 'from modelscan.modelscan import ModelScan\nscan = lambda path: ModelScan().scan(path)',
    reads: ['torch'],
  },
  {
    name: 'modelaudit',
    version: '0.2.54',
    import: 'from modelaudit.core import scan_model_directory_or_file as scan',
    reads: ['torch', 'safetensors'],
  },
] as const;

const LOOP = (imported: string): string => `
import sys, time, logging
logging.disable(logging.CRITICAL)
${imported}
for _ in range(2):
    scan(sys.argv[1])
for _ in range(${TIMES}):
    began = time.perf_counter()
    scan(sys.argv[1])
    print("seconds", time.perf_counter() - began)
`;

/**
 * Milliseconds for one file in a program that is warm. Ours are from a line written to `weighbridge scan --json -` to its
 * answer: the sandbox, the digest of the whole file and the policies are in them; the peers' are of the call alone.
 */
export const bench: Bench = {
  name: 'inspect',
  title: 'Inspecting one file in a warm program against picklescan, modelscan and modelaudit',
  async run() {
    const files = [
      { kind: 'torch', what: 'torch zip, 10 MiB, 32 tensors', path: torchFile(10).file },
      { kind: 'torch', what: 'torch zip, 10 MiB, 1,000 tensors', path: torchFile(10, 1000).file },
      { kind: 'safetensors', what: 'safetensors, 10 MiB', path: safetensorsFile(10).file },
    ];
    const rows: Row[] = [];
    for (const { kind, what, path } of files) {
      const ours = await oursFor(path);
      for (const peer of PEERS) {
        if (!peer.reads.some((format) => format === kind)) continue;
        const theirs = peersFor(peer, path);
        rows.push({ what, ours, peer: theirs, peerName: peer.name, unit: 'ms', ratio: theirs / ours, aim: '' });
      }
    }
    return rows;
  },
};

const oursFor = async (path: string): Promise<number> => {
  const program = resolve(import.meta.dirname, '..', 'bin', 'weighbridge.mjs');
  const child = spawn(process.execPath, [program, 'scan', '--json', '-'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout });
  const ask = async (): Promise<number> => {
    const began = performance.now();
    const answered = once(answers, 'line');
    child.stdin.write(`${path}\n`);
    const [line] = await answered;
    if (JSON.parse(line).coverage !== 'complete') throw new Error(line);
    return performance.now() - began;
  };
  const ended = once(child, 'exit');
  for (let warmUp = 0; warmUp < 2; warmUp += 1) await ask();
  const times: number[] = [];
  for (let time = 0; time < TIMES; time += 1) times.push(await ask());
  child.stdin.end();
  await ended;
  return median(times);
};

const peersFor = ({ name, version, import: imported }: (typeof PEERS)[number], path: string): number => {
  const bin = python(name, [`${name}==${version}`]);
  const printed = run(join(bin, 'python'), ['-c', LOOP(imported), path]);
  const times = [...printed.matchAll(/^seconds (.+)$/gm)].map(([, seconds]) => Number(seconds) * 1000);
  if (times.length !== TIMES) throw new Error(`${name} printed ${printed.slice(0, 400)}`);
  return median(times);
};
