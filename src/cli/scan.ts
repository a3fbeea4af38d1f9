import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { readPolicyFiles } from '../gateway/policies.ts';
import { loadPolicies } from '../policy/load.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { scanFile } from './scan/file.ts';
import { inOrder } from './scan/in-order.ts';
import { filesOf } from './scan/paths.ts';
import { createPrinter, type Printer } from './scan/printers.ts';

const usage = `usage: weighbridge scan [--json|--sarif] [--policies PATH] PATH... | -

Inspects files in the sandbox and says what the policies do with them. A folder means every file below it;
- reads one path a line from standard input.

  --json           one JSON object a line, in the order of the files, as soon as it is known
  --sarif          one SARIF 2.1.0 log
  --policies PATH  a policy file or a folder of them, instead of the configured ones

Exit code 0: all allowed or convertible; 1: something refused or quarantined; 2: could not do it.`;

/** Files at work for each worker: one is inspected while another is opened and hashed. */
const AHEAD = 2;

export const scan: Command = {
  name: 'scan',
  summary: 'inspect files and say what the policies do with them',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, sarif: { type: 'boolean' }, policies: { type: 'string' } },
      allowPositionals: true,
    });
    if (positionals.length === 0 || (values.json === true && values.sarif === true)) {
      io.stderr.write(`${usage}\n`);
      return EXIT.failed;
    }
    const config = loadConfig({});
    const policies = loadPolicies(await readPolicyFiles(values.policies ?? config.policies), Date.now());
    const sandbox = await createSandbox(config.sandbox);
    try {
      const files = filesOf(positionals, io.stdin);
      const scanned = inOrder(files, config.sandbox.workers * AHEAD, (path) => scanFile(sandbox, policies, path));
      const as = values.json === true ? 'json' : values.sarif === true ? 'sarif' : 'human';
      return await print(scanned, createPrinter(as, isTerminal(io.stdout)), io.stdout);
    } finally {
      await sandbox.close();
    }
  },
};

type Results = ReturnType<typeof inOrder<string, Awaited<ReturnType<typeof scanFile>>>>;

/** Prints every result as it comes; the exit code is that of the worst. */
const print = async (results: Results, printer: Printer, stdout: NodeJS.WritableStream): Promise<number> => {
  const write = async (text: string): Promise<void> => {
    if (text !== '' && !stdout.write(text)) await once(stdout, 'drain');
  };
  let worst: number = EXIT.ok;
  await write(printer.begin());
  for await (const result of results) {
    const refused = result.action === 'deny' || result.action === 'quarantine';
    worst = Math.max(worst, result.unreadable ? EXIT.failed : refused ? EXIT.refused : EXIT.ok);
    await write(printer.file(result));
  }
  await write(printer.end());
  return worst;
};

const isTerminal = (stream: NodeJS.WritableStream): boolean => 'isTTY' in stream && stream.isTTY === true;
