import { parseArgs } from 'node:util';
import { WeighbridgeError } from '../errors.ts';
import type { Command, CommandIo } from './command.ts';
import { DESK_OPTIONS, DESK_USAGE, openDesk } from './orders/desk.ts';
import { ofKind, printOrders } from './orders/print.ts';

const usage = `usage: weighbridge hold place [--digest SHA256] [--repo NAME] [--namespace NAME | --publisher NAME] [--rule ID]
                             --reason TEXT
       weighbridge hold keep  [--digest SHA256] [--repo NAME] [--namespace NAME] [--rule ID] --reason TEXT
       weighbridge hold list  [--json]
       weighbridge hold lift  ID...

Holds what was let through before, from this moment on: it is refused to everybody, and downloads of it that are under way
are cut. What is named must hold together. Names may be globs: models/acme/*, acme/**.

keep is a legal hold and stops nobody: entries of the log that match outlive their time, and what the store has of it is not
evicted, until it is lifted.

  --digest SHA256     the file, wherever it lies; of a converted file also what it was converted from
  --repo NAME         org/name, or with its kind: models/org/name
  --namespace NAME    everything of that user or organisation, who is the publisher on the Hub
  --rule ID           what that rule of a policy lets through, or what has a finding of that rule
  --reason TEXT       is told to whoever is refused
${DESK_USAGE}`;

const text = { type: 'string' } as const;
const options = {
  ...DESK_OPTIONS,
  digest: text,
  repo: text,
  namespace: text,
  publisher: text,
  rule: text,
  reason: text,
} as const;

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

const run = async ([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> => {
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (!['place', 'keep', 'list', 'lift'].includes(verb)) throw wrong(`'${verb}' is none of place, keep, list, lift`);
  if ((verb === 'lift') !== positionals.length > 0) throw wrong(`expected ${verb === 'lift' ? 'an id' : 'no names'}`);
  const desk = await openDesk(values, io);
  try {
    if (verb === 'list') return printOrders(ofKind(await desk.list(), 'hold', 'keep'), values.json, io);
    if (verb === 'lift') {
      for (const id of positionals) printOrders([await desk.lift(id)], values.json, io);
      return 0;
    }
    const { digest, publisher, namespace = publisher, reason = '', repo, rule } = values;
    const wanted = { digest: digest?.toLowerCase(), namespace, repo, rule };
    return printOrders(
      [await desk.place({ kind: verb === 'keep' ? 'keep' : 'hold', reason, ...wanted })],
      values.json,
      io,
    );
  } finally {
    await desk.close();
  }
};

export const hold: Command = { name: 'hold', summary: 'hold what was let through before, at once', usage, run };
