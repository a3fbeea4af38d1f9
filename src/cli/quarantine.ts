import { parseArgs } from 'node:util';
import { z } from 'zod';
import { loadConfig } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { type Ask, openAsk } from './desk/ask.ts';
import { readToken } from './desk/token.ts';
import { detailed, heldLineOf, lineOf, type Shown, type ShownHeld, shown, shownHeld } from './quarantine/print.ts';

const usage = `usage: weighbridge quarantine list    [--state STATE] [--expiring 7d] [--held 7d]
       weighbridge quarantine show    ID
       weighbridge quarantine request REQUEST --reason TEXT [--owner WHO] [--expires 30d] [--rule RULE]...
       weighbridge quarantine approve ID [--comment TEXT]
       weighbridge quarantine release REQUEST --reason TEXT [--owner WHO] [--expires 30d] [--rule RULE]...
       weighbridge quarantine refuse|revoke|comment ID --comment TEXT

What the policies hold, and how it is released. Asks the gateway, which must run.

list      all releases, the newest first: requested, active, refused, revoked, expired; waiting and released by themselves
  --expiring TIME  those in force that end within that time
  --held TIME      and files that were held since then and nobody has asked for: 7d, unless something is chosen
show      one of them with the findings that it is about
request   asks for what was refused; REQUEST is the id that the refusal prints. Needs no right but that of the refused
  --reason TEXT    why, for those who approve
  --owner WHO      who answers for it; whoever asks, unless given
  --expires TIME   30d unless given; 12h, 7d
  --rule RULE      some of the rules that refuse it; all of them unless given
approve   releases it, once as many people have approved as the policies want
release   request and approve at once, where the policies let one person do both
refuse    says no, also to what a rule would let go by itself
revoke    ends a release that is in force

  --json              as the gateway answers
  --gateway URL       that gateway, and not the one of the settings
  --token-file FILE   the token of whoever asks; - reads it from standard input
  --config FILE       settings (weighbridge.yaml here, when there is one)`;

const text = { type: 'string' } as const;
const options = {
  state: text,
  expiring: text,
  held: text,
  reason: text,
  owner: text,
  expires: text,
  comment: text,
  rule: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  config: text,
  gateway: text,
  'token-file': text,
} as const;

const parse = (args: string[]) => parseArgs({ args, options, allowPositionals: true });
type Values = ReturnType<typeof parse>['values'];

const wrong = (message: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', `${message}\n${usage}`);

type Work = (ask: Ask['ask'], values: Values, id: string) => Promise<readonly (Shown | ShownHeld)[]>;

/** How far back `list` looks for what nobody has asked for. */
const HELD = '7d';

const listed = z.object({ releases: z.array(shown), held: z.array(shownHeld) });

const list: Work = async (ask, { state, expiring, held: within }) => {
  const held = within ?? (state === undefined && expiring === undefined ? HELD : undefined);
  const query = new URLSearchParams({ ...(state && { state }), ...(expiring && { expiring }), ...(held && { held }) });
  const said = await ask(listed, `quarantine${query.size === 0 ? '' : `?${query.toString()}`}`);
  return [...said.releases, ...said.held];
};

const isHeld = (one: Shown | ShownHeld): one is ShownHeld => !('id' in one);

const show: Work = async (ask, _values, id) => [await ask(shown, `quarantine/${encodeURIComponent(id)}`)];

const asking =
  (path: string): Work =>
  async (ask, { reason, owner, expires, rule: rules }, request) => {
    if (reason === undefined) throw wrong('--reason says why');
    return [await ask(shown, path, { request, reason, owner, expires, rules })];
  };

const step =
  (verb: string): Work =>
  async (ask, { comment }, id) => {
    if (comment === undefined && verb !== 'approve') throw wrong('--comment says why');
    return [await ask(shown, `quarantine/${encodeURIComponent(id)}/${verb}`, { comment })];
  };

const VERBS: ReadonlyMap<string, Work> = new Map([
  ['list', list],
  ['show', show],
  ['request', asking('quarantine')],
  ['approve', step('approve')],
  ['release', asking('quarantine/release')],
  ['refuse', step('refuse')],
  ['revoke', step('revoke')],
  ['comment', step('comment')],
]);

const run = async ([verb = '', ...args]: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parse(args);
  const work = VERBS.get(verb);
  if (work === undefined) throw wrong(`'${verb}' is none of ${[...VERBS.keys()].join(', ')}`);
  if (positionals.length !== (verb === 'list' ? 0 : 1)) throw wrong(`expected ${verb === 'list' ? 'no id' : 'one id'}`);
  const token = await readToken(values['token-file'], io.stdin);
  const gateway = openAsk(loadConfig({ file: values.config }), values.gateway, token);
  try {
    const releases = await work(gateway.ask, values, positionals[0] ?? '');
    const print = (one: Shown | ShownHeld): string => {
      if (values.json === true) return JSON.stringify(one);
      if (isHeld(one)) return heldLineOf(one);
      return verb === 'show' ? detailed(one) : lineOf(one);
    };
    for (const release of releases) io.stdout.write(`${print(release)}\n`);
    return EXIT.ok;
  } finally {
    await gateway.close();
  }
};

export const quarantine: Command = {
  name: 'quarantine',
  summary: 'ask for what the policies hold, release or refuse it',
  usage,
  run,
};
