import { type Command, type CommandIo, EXIT } from './command.ts';
import { check } from './policy/check.ts';
import { explain } from './policy/explain.ts';
import { test } from './policy/test.ts';

const usage = `usage: weighbridge policy check   [--strict] [--json] [PATH]
       weighbridge policy test    [--strict] [--format plain|junit|json] [--tests PATH] [PATH]
       weighbridge policy explain [--json] [--policies PATH] --facts FILE

check     Reads a policy file, or every *.yaml and *.yml of a directory, and prints what is wrong with it as
          file:line:column: errors, and as warnings rules that never match or never decide and waivers that have run out,
          will soon, or name no rule. Ends with 0 when there are no errors, with 1 when there are.
  --strict         a warning is an error too
test      Decides the cases of the set's tests and compares: tests/NAME.yaml beside NAME.yaml, and of a directory every
          *.yaml in its tests/; or --tests, a file or a directory. Prints which rules the cases cover. Ends with 0 when
          all pass, with 1 when one fails, with 2 when there is none or one cannot be read.
  --strict         a rule that no passing case names is a failure too
  --format FORMAT  plain (default), junit (XML for build servers) or json
explain   Decides on the facts in FILE (JSON, - for standard input) and prints for each rule what its conditions gave
          and which findings made them true. Ends with 1 when the decision is quarantine or deny.

PATH is the configured policies when it is left out. The least that facts need:
  {"artefact": {"path": "model.bin", "format": "pickle", "content": "tensors"}, "coverage": "complete"}`;

const verbs: Readonly<Record<string, (args: readonly string[], io: CommandIo) => Promise<number>>> = {
  check,
  test,
  explain,
};

export const policy: Command = {
  name: 'policy',
  summary: 'check and test policies, explain a decision',
  usage,
  async run([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> {
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run !== undefined) return run(args, io);
    io.stderr.write(`${usage}\n`);
    return EXIT.failed;
  },
};
