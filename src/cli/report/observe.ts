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
      shadow: { type: 'boolean', default: false },
    },
  });
  const difference = createDifference<Example>(examplesOf(values.examples));
  const since = values.since === undefined ? 0 : timeOf('since', values.since);
  for await (const one of settled(entriesIn(values.data, since))) add(difference, one, values.shadow);
  const result = difference.result();
  io.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : report(result, values.shadow));
  return result.changed > 0 ? EXIT.refused : EXIT.ok;
};

const add = (difference: ReturnType<typeof createDifference<Example>>, one: ReadEntry, shadow: boolean): void => {
  const { decision, team = '', client } = one.entry;
  if (decision === undefined) return;
  const { action, rule, audited = { action, rule } } = decision;
  const otherwise = shadow ? decision.shadow : audited;
  // Nothing was decided beside it then.
  if (otherwise === undefined) return;
  const before = { action, rule, obligations: '' };
  const after = { action: otherwise.action, rule: otherwise.rule, obligations: '' };
  difference.add({ before, after, team, client: client?.name ?? '' }, exampleOf(one));
};

const report = ({ requests, changed, uncounted, changes }: Difference<Example>, shadow: boolean): string => {
  const how = shadow ? 'by the shadow policies' : 'had all been enforced that is only observed';
  const lines = [`${changed} of ${requests} requests would have ended otherwise, ${how}`];
  for (const change of changes) lines.push('', ...wordChange(change));
  if (uncounted > 0) lines.push('', `and ${uncounted} requests in other ways`);
  return `${lines.join('\n')}\n`;
};
