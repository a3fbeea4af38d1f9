import { type Command, type CommandIo, EXIT } from './command.ts';
import { check } from './policy/check.ts';
import { diff } from './policy/diff.ts';
import { explain } from './policy/explain.ts';
import { sign } from './policy/sign.ts';
import { test } from './policy/test.ts';

const usage = `usage: weighbridge policy check   [--strict] [--json] [--data DIR] [--days N] [PATH]
       weighbridge policy test    [--strict] [--format plain|junit|json] [--tests PATH] [PATH]
       weighbridge policy explain [--json] [--policies PATH] [--data DIR] DECISION | --facts FILE
       weighbridge policy diff    [--json] [--data DIR] [--since TIME] [--examples N] OLD NEW
       weighbridge policy sign    --key FILE [PATH]

check     Reads a policy file, or every *.yaml and *.yml of a directory, and prints what is wrong with it as
          file:line:column: errors, and as warnings rules that never match or never decide and waivers that have run out,
          will soon, or name no rule. Ends with 0 when there are no errors, with 1 when there are.
  --strict         a warning is an error too
  --data DIR       the data folder of the gateway: releases in it that end soon are warned of (the configured one)
  --days N         how soon (14)
test      Decides the cases of the set's tests and compares: tests/NAME.yaml beside NAME.yaml, and of a directory every
          *.yaml in its tests/; or --tests, a file or a directory. Prints which rules the cases cover. Ends with 0 when
          all pass, with 1 when one fails, with 2 when there is none or one cannot be read.
  --strict         a rule that no passing case names is a failure too
  --format FORMAT  plain (default), junit (XML for build servers) or json
explain   Prints for each rule what its conditions gave and which findings made them true. DECISION is the newest one in
          the log about a sha256 or an artefact ([ecosystem:]repo[@commit]/path), or that of an entry (its position, id or
          request id): with the facts and the policies of that moment, or with --policies what those would have said.
          --facts takes facts from FILE instead (JSON, - for standard input). Ends with 1 for quarantine and deny.
  --data DIR       the data folder of the gateway, which may run meanwhile (the configured one)
diff      Decides past requests again with the policies OLD and NEW, and prints what would have changed for how many of
          whom. A set is a path, or the digest of one that was in force; OLD may also be the word logged: what was decided
          then. Waivers count as they do now. Ends with 0 when nothing would change, with 1 when something would.
  --since TIME     requests from 2026-11-23, 2026-11-23T10:00:00Z, or how long ago: 30m, 12h, 7d
  --examples N     name the newest N requests of each change (3)

sign      Adds a signature to policies that are valid, in policies.sig in their directory, or FILE.sig beside a file.
  --key FILE       Ed25519 private key as PEM (openssl genpkey -algorithm ed25519)

PATH is the configured policies when it is left out. The least that facts need:
  {"artefact": {"path": "model.bin", "format": "pickle", "content": "tensors"}, "coverage": "complete"}`;

const verbs: Readonly<Record<string, (args: readonly string[], io: CommandIo) => Promise<number>>> = {
  check,
  test,
  explain,
  diff,
  sign,
};

export const policy: Command = {
  name: 'policy',
  summary: 'check, test and compare policies, explain a decision',
  usage,
  async run([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> {
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run !== undefined) return run(args, io);
    io.stderr.write(`${usage}\n`);
    return EXIT.failed;
  },
};
