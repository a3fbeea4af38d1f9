import { parseArgs } from 'node:util';
import { WeighbridgeError } from '../errors.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { timeOf } from './log/options.ts';
import { DESK_OPTIONS, DESK_USAGE, openDesk } from './orders/desk.ts';
import { ofKind, printOrders } from './orders/print.ts';

const usage = `usage: weighbridge freeze --since TIME [--ecosystem NAME] --reason TEXT
       weighbridge freeze --list [--json]
       weighbridge freeze --lift [ID]

From this moment on only what was served before TIME passes, by digest and by the access log: pipelines that work go on
working, nothing new comes in. Other downloads that are under way are cut.

  --since TIME        a date such as 2026-01-31, or how long ago: 12h, 7d
  --ecosystem NAME    huggingface, for instance; all unless given
  --reason TEXT       is told to whoever is refused
  --lift              ends the freeze of this id, or all
${DESK_USAGE}`;

const text = { type: 'string' } as const;
const options = {
  ...DESK_OPTIONS,
  since: text,
  ecosystem: text,
  reason: text,
  list: { type: 'boolean' },
  lift: { type: 'boolean' },
} as const;

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

const run = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  const { ecosystem, json, lift, list, reason = '', since } = values;
  if ([since, list, lift].filter((one) => one !== undefined).length !== 1)
    throw wrong('expected one of --since, --list, --lift');
  if (positionals.length > 0 && lift === undefined) throw wrong(`'${positionals[0]}' is not expected here`);
  const desk = await openDesk(values, io);
  try {
    if (since !== undefined) {
      const wanted = { kind: 'freeze', reason, ecosystem, since: timeOf('since', since) } as const;
      return printOrders([await desk.place(wanted)], json, io);
    }
    const freezes = ofKind(await desk.list(), 'freeze');
    if (list === true) return printOrders(freezes, json, io);
    const standing = freezes.filter(({ liftedAt }) => liftedAt === undefined).map(({ id }) => id);
    for (const id of positionals.length > 0 ? positionals : standing) printOrders([await desk.lift(id)], json, io);
    return EXIT.ok;
  } finally {
    await desk.close();
  }
};

export const freeze: Command = { name: 'freeze', summary: 'let only what was served before pass', usage, run };
