import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { printable } from '../formats/format.ts';
import type { ShownToken } from '../gateway/tokens.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { readToken } from './desk/token.ts';
import { type Desk, openHere, openRemote } from './token/desk.ts';

const usage = `usage: weighbridge token create --team TEAM [--environment NAME] [--mounts hf,api] [--expires 90d] [--note TEXT]
       weighbridge token create --role viewer|auditor|approver|admin [--team TEAM] [--expires 90d] [--note TEXT]
       weighbridge token list   [--json]
       weighbridge token revoke ID...
       weighbridge token upstream set|remove --team TEAM [--upstream hf]
       weighbridge token upstream list

Tokens for pipelines, and for people until they sign in. Works on the data folder, or asks the gateway that runs on it:
that takes the token of an admin, unless the gateway answers to this machine without one.

create   prints the token, once: it is kept as a digest only
  --role ROLE         pipeline unless given
  --team TEAM         what policies and the log know the caller by
  --environment NAME  the same within the team: production, research
  --mounts LIST       what the token opens, such as hf and api; all unless given
  --expires TIME      90d unless given; 12h, 30m, never
revoke   ends tokens at once, also in a running gateway
upstream what an upstream is shown in the name of a team; set reads it from standard input, and keeps it encrypted

  --config FILE       settings (weighbridge.yaml here, when there is one)
  --data DIR          the data folder of those settings
  --gateway URL       ask this gateway, on whatever machine
  --token-file FILE   the admin's token; - reads it from standard input`;

const options = {
  team: { type: 'string' },
  environment: { type: 'string' },
  role: { type: 'string' },
  mounts: { type: 'string' },
  expires: { type: 'string' },
  note: { type: 'string' },
  upstream: { type: 'string', default: 'huggingface' },
  json: { type: 'boolean' },
  config: { type: 'string' },
  data: { type: 'string' },
  gateway: { type: 'string' },
  'token-file': { type: 'string' },
} as const;

const parse = (args: string[]) => parseArgs({ args, options, allowPositionals: true });
type Values = ReturnType<typeof parse>['values'];

const run = async ([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parse(args);
  const work = VERBS.get(verb);
  if (work === undefined) throw wrong(`'${verb}' is none of ${[...VERBS.keys()].join(', ')}`);
  const named = verb === 'revoke' || verb === 'upstream';
  if (named !== positionals.length > 0)
    throw wrong(named ? `nothing is named to ${verb}` : `'${positionals[0]}' is not expected here`);
  const desk = await openDesk(values, io);
  try {
    return await work(desk, values, positionals, io);
  } finally {
    await desk.close();
  }
};

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

const openDesk = async (values: Values, io: CommandIo): Promise<Desk> => {
  const config = loadConfig({ file: values.config, overrides: { data: values.data } });
  const here = values.gateway === undefined ? await openHere(config) : undefined;
  if (here !== undefined) return here;
  return openRemote(config, values.gateway, await readToken(values['token-file'], io.stdin));
};

type Work = (desk: Desk, values: Values, ids: readonly string[], io: CommandIo) => Promise<number>;

const create: Work = async (desk, values, _ids, io) => {
  const { team, environment, role, expires, note } = values;
  const mounts = values.mounts?.split(',').filter((mount) => mount !== '');
  const { secret, shown } = await desk.create({ team, environment, role, expires, note, mounts });
  io.stderr.write(`${worded(shown)}\nKeep the token now: it is not shown again.\n`);
  io.stdout.write(`${secret}\n`);
  return EXIT.ok;
};

const list: Work = async (desk, values, _ids, io) => {
  for (const token of await desk.list())
    io.stdout.write(`${values.json === true ? JSON.stringify(token) : worded(token)}\n`);
  return EXIT.ok;
};

const revoke: Work = async (desk, _values, ids, io) => {
  for (const id of ids) io.stdout.write(`${worded(await desk.revoke(id))}\n`);
  return EXIT.ok;
};

const upstream: Work = async (desk, { team, upstream: name }, [verb], io) => {
  const place = { team, upstream: name };
  if (verb === 'set') await desk.store({ ...place, secret: (await text(io.stdin)).trim() });
  else if (verb === 'remove') await desk.forget(place);
  else if (verb !== 'list') throw wrong(`'${verb}' is none of set, remove, list`);
  for (const { team: whose, upstream: where, at } of await desk.stored())
    io.stdout.write(`${where}  ${whose}  since ${day(at)}\n`);
  return EXIT.ok;
};

const VERBS: ReadonlyMap<string, Work> = new Map([
  ['create', create],
  ['list', list],
  ['revoke', revoke],
  ['upstream', upstream],
]);

const worded = (token: ShownToken): string => {
  const { id, role, team, environment, scopes, note } = token;
  const whose = [team, environment].filter((part) => part !== '').join('/') || '-';
  const reach = scopes.length === 0 ? 'all mounts' : scopes.join(',');
  return printable(
    `${id}  ${role.padEnd(8)}  ${whose.padEnd(24)}  ${stateOf(token).padEnd(19)}  ${reach}  ${note}`,
  ).trimEnd();
};

const day = (time: number): string => new Date(time).toISOString().slice(0, 10);

const stateOf = ({ expiresAt, revokedAt }: ShownToken): string => {
  if (revokedAt !== undefined) return `revoked ${day(revokedAt)}`;
  if (expiresAt === undefined) return 'does not expire';
  return `${expiresAt > Date.now() ? 'until' : 'expired'} ${day(expiresAt)}`;
};

export const token: Command = { name: 'token', summary: 'make, list and revoke tokens for callers', usage, run };
