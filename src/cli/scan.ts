import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { lookupOnce } from '../gateway/known-bad.ts';
import { readPolicyFiles } from '../gateway/policies.ts';
import { loadPolicies } from '../policy/load.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { createIndexes } from './scan/beside.ts';
import { printExplanation } from './scan/explain.ts';
import { inOrder } from './scan/in-order.ts';
import { scanTarget } from './scan/judge.ts';
import { type Printer, printers } from './scan/printers.ts';
import { createProgress, type Progress } from './scan/progress.ts';
import { createFinder } from './scan/targets.ts';
import { type Fails, failsOn, THRESHOLDS } from './scan/threshold.ts';
import type { Scanned } from './scan/types.ts';

const usage = `usage: weighbridge scan [OPTIONS] PATH... | hf://REPO[@REVISION] | https://... | -
       weighbridge scan --explain RULE

Inspects files in the sandbox and says what the policies do with them. A folder means every file below it, a
pattern ('models/**/*.bin') the files that it fits, - one path a line from standard input. hf://[datasets/|spaces/]REPO
means the files of a repo on the configured Hub (and of it @REVISION, /PATH). Remote files are judged by a few
ranges where their format allows it, else fetched to the temporary folder, judged and removed.

  --format FORMAT   ${Object.keys(printers).join(', ')}; table is the default
  --json            one JSON object a line, in the order of the files, as soon as it is known
  --sarif           one SARIF 2.1.0 log
  --policies PATH   a policy file or a folder of them, instead of the configured ones
  --fail-on WHAT    what ends with exit code 1: an action (deny, quarantine, convert) or a stronger one, or any refusal
                    and any finding as severe as this (${THRESHOLDS.slice(0, 5).join(', ')}); quarantine is the default
  --explain RULE    what a rule of a finding means, why it matters and what to do

Exit code 0: nothing that --fail-on names; 1: something it names; 2: could not do it.`;

/** Files at work for each worker: one is inspected while another is opened and hashed. */
const AHEAD = 2;

const OPTIONS = {
  format: { type: 'string' },
  json: { type: 'boolean' },
  sarif: { type: 'boolean' },
  policies: { type: 'string' },
  'fail-on': { type: 'string' },
  explain: { type: 'string' },
} as const;

export const scan: Command = {
  name: 'scan',
  summary: 'inspect files, repos and URLs and say what the policies do with them',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.explain !== undefined) return printExplanation(values.explain, io);
    const formats = [values.format, values.json && 'json', values.sarif && 'sarif'].filter((one) => Boolean(one));
    const [format = 'table'] = formats;
    const threshold = values['fail-on'] ?? 'quarantine';
    const create = Object.hasOwn(printers, String(format)) ? printers[String(format)] : undefined;
    const wrong = formats.length > 1 || create === undefined || !THRESHOLDS.includes(threshold);
    if (wrong || positionals.length === 0) {
      io.stderr.write(`${usage}\n`);
      return EXIT.failed;
    }
    const fails = failsOn(threshold);
    const printer = create({ colour: showsColours(io.stdout), fails });
    const progress = createProgress(io.stderr, isTerminal(io.stderr) && !positionals.includes('-'));
    return await scanAll(positionals, values.policies, { io, printer, fails, progress });
  },
};

type Output = {
  readonly io: CommandIo;
  readonly printer: Printer;
  readonly fails: Fails;
  readonly progress: Progress;
};

const scanAll = async (named: readonly string[], policyPath: string | undefined, output: Output): Promise<number> => {
  const config = loadConfig({});
  const policies = loadPolicies(await readPolicyFiles(policyPath ?? config.policies.path), Date.now());
  const knownBad = await lookupOnce(config.knownBad);
  const sandbox = await createSandbox({ ...config.sandbox, noReserve: true });
  const finder = createFinder(config);
  const scales = { sandbox, policies, knownBad, indexes: createIndexes() };
  try {
    const targets = output.progress.count(finder.find(named, output.io.stdin));
    const ahead = config.sandbox.workers * AHEAD;
    return await print(
      inOrder(targets, ahead, (target) => scanTarget(scales, target)),
      output,
    );
  } finally {
    await finder.close();
    await sandbox.close();
  }
};

/** Prints every result as it comes; the exit code is that of the worst. */
const print = async (results: AsyncGenerator<Scanned>, { io, printer, fails, progress }: Output): Promise<number> => {
  const { stdout } = io;
  const write = async (text: string): Promise<void> => {
    if (text === '') return;
    progress.clear();
    if (!stdout.write(text)) await once(stdout, 'drain');
  };
  let worst: number = EXIT.ok;
  await write(printer.begin());
  for await (const result of results) {
    worst = Math.max(worst, result.unreadable ? EXIT.failed : fails(result) ? EXIT.refused : EXIT.ok);
    await write(printer.file(result));
    progress.done();
  }
  progress.clear();
  await write(printer.end());
  return worst;
};

/** A terminal that has colours and whose user has not switched them off (`NO_COLOR`, `TERM=dumb`). */
const showsColours = (stream: NodeJS.WritableStream): boolean =>
  isTerminal(stream) && !('hasColors' in stream && typeof stream.hasColors === 'function' && !stream.hasColors());

const isTerminal = (stream: NodeJS.WritableStream): boolean => 'isTTY' in stream && stream.isTTY === true;
