import { type Command, type CommandIo, EXIT } from './command.ts';
import { observe } from './report/observe.ts';

const usage = `usage: weighbridge report observe [--shadow] [--json] [--data DIR] [--since TIME] [--examples N]

observe   Counts the requests that were let through only because nothing was enforced for them (mode: observe, a document of
          kind Observe, policies in mode observe), by what would have been done with them, by rule, team and client. Ends
          with 0 when there is none, with 1 when there are.
  --shadow         by what the shadow policies (policyControl.shadow) would have done with each request instead
  --data DIR       the data folder of the gateway, which may run meanwhile (the configured one)
  --since TIME     requests from 2026-11-23, 2026-11-23T10:00:00Z, or how long ago: 30m, 12h, 7d
  --examples N     name the newest N requests of each kind (3)`;

export const report: Command = {
  name: 'report',
  summary: 'say who would have been stopped by what',
  usage,
  async run([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> {
    if (verb === 'observe') return observe(args, io);
    io.stderr.write(`${usage}\n`);
    return EXIT.failed;
  },
};
