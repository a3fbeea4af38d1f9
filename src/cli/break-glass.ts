import { parseArgs } from 'node:util';
import { WeighbridgeError } from '../errors.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { DESK_OPTIONS, DESK_USAGE, openDesk } from './orders/desk.ts';
import { ofKind, printOrders } from './orders/print.ts';

const usage = `usage: weighbridge break-glass ask (--token ID | --team NAME) --rule ID... [--hours 4] --reason TEXT
       weighbridge break-glass approve ID
       weighbridge break-glass end     ID...
       weighbridge break-glass list    [--json]

Lets one pipeline past the named rules, for at most 24 hours from the approval, which takes someone else than who asked. It
raises an alert. What another rule refuses stays refused.

  --token ID          the pipeline's token, by its id; or
  --team NAME         a team, where its tokens prove it
  --rule ID           policy/rule, default, or order/ID of a hold or a freeze; more than once for more
  --hours N           4 unless given
${DESK_USAGE}`;

const text = { type: 'string' } as const;
const options = {
  ...DESK_OPTIONS,
  token: text,
  team: text,
  rule: { type: 'string', multiple: true },
  hours: { type: 'string', default: '4' },
  reason: text,
} as const;

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

const run = async ([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> => {
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (!['ask', 'approve', 'end', 'list'].includes(verb)) throw wrong(`'${verb}' is none of ask, approve, end, list`);
  const named = verb === 'approve' || verb === 'end';
  if (named !== positionals.length > 0) throw wrong(`expected ${named ? 'an id' : 'no names'}`);
  const desk = await openDesk(values, io);
  try {
    if (verb === 'list') return printOrders(ofKind(await desk.list(), 'pass'), values.json, io);
    if (verb === 'ask') {
      const { hours, reason = '', rule = [], team, token } = values;
      const wanted = { kind: 'pass', reason, token, team, rules: rule, hours: Number(hours) } as const;
      return printOrders([await desk.place(wanted)], values.json, io);
    }
    for (const id of positionals)
      printOrders([verb === 'end' ? await desk.lift(id) : await desk.approve(id)], values.json, io);
    return EXIT.ok;
  } finally {
    await desk.close();
  }
};

export const breakGlass: Command = {
  name: 'break-glass',
  summary: 'let one pipeline past named rules, for hours, by two people',
  usage,
  run,
};
