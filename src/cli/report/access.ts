import { parseArgs } from 'node:util';
import { createRoleHistory, type Held } from '../../audit/role-history.ts';
import { loadConfig } from '../../config.ts';
import { printable } from '../../formats/format.ts';
import { layout } from '../../store/layout.ts';
import { readSqliteRecords } from '../../store/records-read.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { timeOf } from '../log/options.ts';
import { entriesIn } from '../policy/past.ts';

/** A token in the settings: of its beginning and end the log knows nothing. */
type InSettings = { readonly kind: 'settings'; readonly name: string; readonly role: string; readonly team: string };
type Named = Omit<Held, 'called' | 'from' | 'until' | 'lastSignIn'> & {
  readonly name: string;
  /** What a directory called the person. */
  readonly called?: string;
  readonly from: string;
  readonly until?: string;
  readonly lastSignIn?: string;
};

/** `weighbridge report access`: who held which role when. */
export const access = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      config: { type: 'string' },
      data: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
    },
  });
  const config = loadConfig({ file: values.config, overrides: { data: values.data } });
  const from = values.from === undefined ? 0 : timeOf('from', values.from);
  const to = values.to === undefined ? Date.now() : timeOf('to', values.to);
  const history = createRoleHistory(from, to);
  for await (const { entry } of entriesIn(config.data, 0)) history.add(entry);
  const people = readSqliteRecords(layout(config.data).records);
  try {
    const nameOf = (pseudonym: string): string => people.get('person', pseudonym)?.value ?? '';
    const held = history.result().map((one) => named(one, nameOf(one.who), nameOf(one.called ?? '')));
    const settings = config.auth.tokens.map(
      ({ name, role, team }): InSettings => ({ kind: 'settings', name, role, team }),
    );
    for (const one of [...held, ...settings])
      io.stdout.write(`${values.json ? JSON.stringify(one) : printable(worded(one))}\n`);
  } finally {
    people.close();
  }
  return EXIT.ok;
};

const iso = (time: number): string => new Date(time).toISOString();

const named = ({ from, until, lastSignIn, ...one }: Held, name: string, called: string): Named => ({
  ...one,
  name,
  ...(called !== '' && { called }),
  from: iso(from),
  ...(until !== undefined && { until: iso(until) }),
  ...(lastSignIn !== undefined && { lastSignIn: iso(lastSignIn) }),
});

const worded = (one: Named | InSettings): string => {
  const { kind, role, name, team } = one;
  const start = `${kind.padEnd(8)}  ${role.padEnd(8)}  ${name.padEnd(24)}  ${(team || '-').padEnd(16)}`;
  if (one.kind === 'settings') return `${start}  in the settings now; the log does not know since when`;
  const { called, from, until, signIns, lastSignIn, who } = one;
  const came = lastSignIn === undefined ? '' : `  signed in ${signIns} times, last ${lastSignIn}`;
  return `${start}  ${from} to ${until ?? 'now'}  ${who}${called === undefined ? '' : `  called ${called}`}${came}`;
};
