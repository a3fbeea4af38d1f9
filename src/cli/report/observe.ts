import { parseArgs } from 'node:util';
import type { ReadEntry } from '../../audit/reader.ts';
import { settled } from '../../gateway/replay.ts';
import { createDifference, type Difference } from '../../policy/difference.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { timeOf } from '../log/options.ts';
import { type Example, exampleOf, wordChange } from '../policy/change.ts';
import { examplesOf } from '../policy/examples.ts';
import { entriesIn } from '../policy/past.ts';

/** `weighbridge report observe`: who would have been stopped by what. */
export const observe = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      data: { type: 'string' },
      since: { type: 'string' },
      examples: { type: 'string' },
    },
  });
  const difference = createDifference<Example>(examplesOf(values.examples));
  const since = values.since === undefined ? 0 : timeOf('since', values.since);
  for await (const one of settled(entriesIn(values.data, since))) add(difference, one);
  const result = difference.result();
  io.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : report(result));
  return result.changed > 0 ? EXIT.refused : EXIT.ok;
};

const add = (difference: ReturnType<typeof createDifference<Example>>, one: ReadEntry): void => {
  const { decision, team = '', client } = one.entry;
  if (decision === undefined) return;
  const { action, rule, audited = { action, rule } } = decision;
  const before = { action, rule, obligations: '' };
  difference.add({ before, after: { ...audited, obligations: '' }, team, client: client?.name ?? '' }, exampleOf(one));
};

const report = ({ requests, changed, uncounted, changes }: Difference<Example>): string => {
  const lines = [
    `${changed} of ${requests} requests would have ended otherwise, had all been enforced that is only observed`,
  ];
  for (const change of changes) lines.push('', ...wordChange(change));
  if (uncounted > 0) lines.push('', `and ${uncounted} requests in other ways`);
  return `${lines.join('\n')}\n`;
};
