import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { printable } from '../formats/format.ts';
import type { ShownAccount } from '../gateway/accounts.ts';
import { type Desk, openHere, openRemote } from './account/desk.ts';
import { askPassword } from './account/password.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge account add NAME --role viewer|auditor|approver|admin
       weighbridge account role NAME --role viewer|auditor|approver|admin
       weighbridge account password NAME
       weighbridge account disable NAME
       weighbridge account list [--json]

People who sign in with a password, on a single machine. Works on the data folder, or asks the gateway that runs on it: that
takes the token of an admin, unless the gateway answers to this machine without one.

add       asks for a password of 12 characters or more: at the terminal, or the first line of standard input
role      gives it another role, which its owner has at once, also where signed in
password  asks for another one, which signs its owner out everywhere
disable   ends an account and its sessions at once, for good

  --role ROLE         what the person may do (docs/identity.md)
  --config FILE       settings (weighbridge.yaml here, when there is one)
  --data DIR          the data folder of those settings
  --gateway URL       ask this gateway, on whatever machine
  --token-file FILE   the admin's token`;

const options = {
  role: { type: 'string', default: '' },
  json: { type: 'boolean', default: false },
  config: { type: 'string' },
  data: { type: 'string' },
  gateway: { type: 'string' },
  'token-file': { type: 'string' },
} as const;

const parse = (args: string[]) => parseArgs({ args, options, allowPositionals: true });
type Values = ReturnType<typeof parse>['values'];
type Work = (desk: Desk, name: string, values: Values, io: CommandIo) => Promise<readonly ShownAccount[]>;

const VERBS: ReadonlyMap<string, Work> = new Map<string, Work>([
  ['add', async (desk, name, { role }, io) => [await desk.add(name, role, await askPassword(io))]],
  ['role', async (desk, name, { role }) => [await desk.assign(name, role)]],
  ['password', async (desk, name, _values, io) => [await desk.change(name, await askPassword(io))]],
  ['disable', async (desk, name) => [await desk.disable(name)]],
  ['list', (desk) => desk.list()],
]);

const run = async ([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parse(args);
  const [name = '', ...others] = positionals;
  const work = VERBS.get(verb);
  if (work === undefined) throw wrong(`'${verb}' is none of ${[...VERBS.keys()].join(', ')}`);
  // A password that somebody gave as an argument is not repeated.
  if (others.length > 0) throw wrong('one name is expected, and nothing after it');
  if ((name === '') !== (verb === 'list')) throw wrong(verb === 'list' ? 'no name is expected' : 'a name is expected');
  const desk = await openDesk(values);
  try {
    for (const account of await work(desk, name, values, io))
      io.stdout.write(`${values.json ? JSON.stringify(account) : worded(account)}\n`);
    return EXIT.ok;
  } finally {
    await desk.close();
  }
};

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

const openDesk = async (values: Values): Promise<Desk> => {
  const config = loadConfig({ file: values.config, overrides: { data: values.data } });
  const here = values.gateway === undefined ? await openHere(config) : undefined;
  if (here !== undefined) return here;
  const file = values['token-file'];
  return openRemote(config, values.gateway, file === undefined ? undefined : readFileSync(file, 'utf8').trim());
};

const worded = ({ name, role, createdAt, disabledAt }: ShownAccount): string => {
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
  const ended = disabledAt === undefined ? '' : `  disabled ${day(disabledAt)}`;
  return printable(`${name.padEnd(24)}  ${role.padEnd(8)}  since ${day(createdAt)}${ended}`);
};

export const account: Command = { name: 'account', summary: 'give people accounts, and end them', usage, run };
