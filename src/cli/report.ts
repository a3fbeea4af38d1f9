import { type Command, type CommandIo, EXIT } from './command.ts';
import { access } from './report/access.ts';
import { observe } from './report/observe.ts';

const usage = `usage: weighbridge report observe [--shadow] [--json] [--data DIR] [--since TIME] [--examples N]
       weighbridge report access [--from TIME] [--to TIME] [--json] [--config FILE] [--data DIR]

observe   Counts the requests that were let through only because nothing was enforced for them (mode: observe, a document of
          kind Observe, policies in mode observe), by what would have been done with them, by rule, team and client. Ends
          with 0 when there is none, with 1 when there are.
  --shadow         by what the shadow policies (policies.shadow) would have done with each request instead
  --data DIR       the data folder of the gateway, which may run meanwhile (the configured one)
  --since TIME     requests from 2026-11-23, 2026-11-23T10:00:00Z, or how long ago: 30m, 12h, 7d
  --examples N     name the newest N requests of each kind (3)

access    Who held which role when: tokens, accounts of people with how often they signed in, from the log; tokens in the
          settings as they are now. One a line; names are left out where they were erased.
  --from, --to     of that time, as --since has it (of all time, until now)
  --json           one object a line
  --config FILE    settings (weighbridge.yaml here, when there is one)`;

export const report: Command = {
  name: 'report',
  summary: 'say who would have been stopped by what, and who held which role',
  usage,
  async run([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> {
    if (verb === 'observe') return observe(args, io);
    if (verb === 'access') return access(args, io);
    io.stderr.write(`${usage}\n`);
    return EXIT.failed;
  },
};
