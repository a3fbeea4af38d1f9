import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { readExactly } from '../src/cli/local-file.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import { type Bench, median, type Row } from './support/bench.ts';
import { safetensorsFile } from './support/files.ts';
import { python } from './support/python.ts';
import { type Labelled, scannerSet } from './support/scanner-set.ts';
import { torchFile } from './support/torch-files.ts';

/** The peers as PyPI has them; `support/scanners.py` says which of their calls is made and what counts as caught. */
const PEERS = {
  picklescan: ['picklescan==1.0.5'],
  modelscan: ['modelscan==0.8.8'],
  // It does not name what it needs before Python 3.12.
  fickling: ['fickling==0.1.12', 'typing_extensions==4.12.2'],
  modelaudit: ['modelaudit==0.2.54'],
} as const;
/** Milliseconds for one file; then the scanner is ended, started again, and has no verdict. */
const PATIENCE = 30_000;
/** Milliseconds for all of them together. */
const ALL_PATIENCE = 600_000;
/** Files asked first, so that what a program makes once is made. */
const WARM_UP = 8;
/**
 * Milliseconds between two files that are asked one after the other, for all alike: files do not come back to back when
 * one is waited for. Ours makes its fresh isolates then; what they cost is in `all files at once`.
 */
const PAUSE = 25;
const MIB = 1 << 20;

type Verdict = 'caught' | 'clean' | 'none';
type Answer = { readonly verdict: Verdict; readonly ms: number };
type Scanner = { readonly command: string; readonly args: readonly string[]; readonly read: (line: string) => Verdict };
type Measured = { readonly answers: readonly Answer[]; readonly perSecond: number; readonly memory: number };

/**
 * The same files through every scanner, one after the other in a program that is warm: from the line that names a file to
 * the answer. The peers get no network, and a folder that must be as empty afterwards as before: nothing that was scanned ran.
 */
export const bench: Bench = {
  name: 'scanners',
  title: 'Scanners on the same files: attacks, broken files and benign ones',
  async run() {
    const files = scannerSet();
    const ours = await measure(OURS, files);
    const rows: Row[] = [];
    for (const [name, packages] of Object.entries(PEERS)) {
      const theirs = await measure(peer(name, packages), files);
      rows.push(...compare(files, ours, name, theirs));
    }
    return [...rows, ...(await sizes())];
  },
};

const OURS: Scanner = {
  command: process.execPath,
  args: [
    resolve(import.meta.dirname, '..', 'bin', 'weighbridge.mjs'),
    ...['scan', '--json', '--policies', resolve(import.meta.dirname, '..', 'policies', 'default.yaml'), '-'],
  ],
  // Refused without having been understood, and without a finding, is no verdict, though nobody gets the file.
  read(line) {
    const { action, coverage, findings } = JSON.parse(line);
    if (action === 'allow' || action === 'convert') return 'clean';
    return coverage === 'opaque' && findings.length === 0 ? 'none' : 'caught';
  },
};

const peer = (name: string, packages: readonly string[]): Scanner => {
  const program = join(python(name, packages), 'python');
  const driver = join(import.meta.dirname, 'support', 'scanners.py');
  const alone = ['--map-root-user', '--net', '--'];
  if (spawnSync('unshare', [...alone, 'true']).status !== 0) throw new Error('unshare cannot take the network away');
  return { command: 'unshare', args: [...alone, program, driver, name], read: (line) => JSON.parse(line).verdict };
};

const measure = async (scanner: Scanner, files: readonly Labelled[]): Promise<Measured> => {
  const place = mkdtempSync(join(tmpdir(), 'weighbridge-scanners-'));
  // Some keep settings and a cache in the home folder.
  const [folder, home] = [join(place, 'work'), join(place, 'home')];
  for (const made of [folder, home]) mkdirSync(made);
  let running = start(scanner, folder, home);
  let memory = 0;
  const answers: Answer[] = [];
  for (const { path } of [...files.slice(0, WARM_UP), ...files]) {
    await sleep(PAUSE);
    const began = performance.now();
    const line = await running.ask(path);
    answers.push({ verdict: line === undefined ? 'none' : scanner.read(line), ms: performance.now() - began });
    memory = Math.max(memory, peakMemory(running.child.pid ?? 0));
    if (line !== undefined) continue;
    await running.stop();
    running = start(scanner, folder, home);
  }
  const timed = answers.slice(WARM_UP);
  // The peers do one file after the other whatever they are given at once, and need no pause.
  let seconds = timed.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  if (scanner === OURS) {
    const began = performance.now();
    await Promise.all(files.map(({ path }) => running.ask(path, ALL_PATIENCE)));
    seconds = (performance.now() - began) / 1000;
  }
  memory = Math.max(memory, peakMemory(running.child.pid ?? 0));
  await running.stop();
  const left = readdirSync(folder);
  rmSync(place, { recursive: true });
  if (left.length > 0) throw new Error(`${scanner.args.at(-1)} left ${left.join(', ')}: something ran`);
  return { answers: timed, perSecond: files.length / seconds, memory };
};

/** A scanner that waits for lines. `ask` gives undefined when it ended or did not answer in time. */
const start = ({ command, args }: Scanner, cwd: string, home: string) => {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    PROMPTFOO_DISABLE_TELEMETRY: '1',
    NO_ANALYTICS: '1',
  };
  const child: ChildProcess = spawn(command, args, { cwd, env: environment, stdio: ['pipe', 'pipe', 'ignore'] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  stdin.on('error', () => {});
  const waiting: ((line: string | undefined) => void)[] = [];
  const answer = (line: string | undefined): void => waiting.shift()?.(line);
  createInterface({ input: stdout }).on('line', answer);
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  void ended.then(() => waiting.splice(0).map((give) => give(undefined)));
  const ask = (path: string, patience = PATIENCE): Promise<string | undefined> =>
    new Promise((give) => {
      const late = setTimeout(() => give(undefined), patience);
      waiting.push((line) => {
        clearTimeout(late);
        give(line);
      });
      stdin.write(`${path}\n`);
    });
  return {
    child,
    ask,
    async stop() {
      stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(late);
    },
  };
};

/** The most that a process and all that it started ever held, in bytes; what is shared is counted by each. */
const peakMemory = (pid: number): number => {
  try {
    const own = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    return children.reduce((sum, child) => sum + peakMemory(child), own);
  } catch {
    return 0;
  }
};

const compare = (files: readonly Labelled[], ours: Measured, peerName: string, theirs: Measured): Row[] => {
  const row = (what: string, unit: string, of: (measured: Measured) => number, more: boolean, aim = ''): Row => {
    const [a, b] = [of(ours), of(theirs)];
    const ratio = more ? a / b : b / a;
    return { what, ours: a, peer: b, peerName, unit, ...(Number.isFinite(ratio) ? { ratio } : {}), aim };
  };
  const share = (label: Labelled['label'], verdict: Verdict) => {
    const indices = [...files.keys()].filter((index) => files[index]?.label === label);
    return ({ answers }: Measured): number =>
      (100 * indices.filter((index) => answers[index]?.verdict === verdict).length) / indices.length;
  };
  const count = (label: Labelled['label']): number => files.filter((file) => file.label === label).length;
  return [
    row(`${count('attack')} attacks: caught`, '%', share('attack', 'caught'), true, '100'),
    row(`${count('attack')} attacks: no verdict`, '%', share('attack', 'none'), false, '0'),
    row(`${count('broken')} broken files: caught`, '%', share('broken', 'caught'), true, '100'),
    row(`${count('broken')} broken files: no verdict`, '%', share('broken', 'none'), false, '0'),
    row(`${count('benign')} benign files: false alarms`, '%', share('benign', 'caught'), false, '0'),
    row(`${count('benign')} benign files: no verdict`, '%', share('benign', 'none'), false, '0'),
    row(
      'a file, one after the other, median',
      'ms',
      ({ answers }) => median(answers.map(({ ms }) => ms)),
      false,
      'under 10 ms',
    ),
    row('a file, one after the other, worst', 'ms', ({ answers }) => Math.max(...answers.map(({ ms }) => ms)), false),
    row('all files at once', 'files/s', ({ perSecond }) => perSecond, true),
    row('peak memory, all processes', 'MiB', ({ memory }) => memory / MIB, false),
  ];
};

/** A file of 5 GiB against one of 50 MiB with as many tensors: the inspection alone, without reading it to hash it. */
const sizes = async (): Promise<Row[]> => {
  const sandbox = await createSandbox({ workers: 1, memory: 512 * MIB, timeout: 120_000, require: 'isolate' });
  const middle = async (path: string): Promise<number> => {
    const file = await open(path);
    const { size } = await file.stat();
    const times: number[] = [];
    for (let time = 0; time < 12; time += 1) {
      const began = performance.now();
      const { coverage } = await sandbox.inspect({ size, read: (offset, length) => readExactly(file, offset, length) });
      times.push(performance.now() - began);
      if (coverage.state !== 'complete') throw new Error(`${path}: ${coverage.reason}`);
    }
    await file.close();
    return median(times.slice(2));
  };
  const rows: Row[] = [];
  for (const [what, make] of [
    ['torch zip', torchFile],
    ['safetensors', safetensorsFile],
  ] as const) {
    const [large, small] = [await middle(make(5120).file), await middle(make(50).file)];
    const ratio = small / large;
    rows.push({
      what: `${what} of 5 GiB, inspection`,
      ours: large,
      peer: small,
      peerName: '50 MiB',
      unit: 'ms',
      ratio,
      aim: '1',
    });
  }
  await sandbox.close();
  return rows;
};
