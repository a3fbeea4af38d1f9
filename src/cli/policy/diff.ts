import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WeighbridgeError } from '../../errors.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { replay } from '../../gateway/replay.ts';
import { createDifference, type Difference } from '../../policy/difference.ts';
import { loadPolicies } from '../../policy/load.ts';
import type { PolicySet } from '../../policy/types.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { timeOf } from '../log/options.ts';
import { type Example, exampleOf, wordChange } from './change.ts';
import { examplesOf } from './examples.ts';
import { openPast, type Past } from './past.ts';

type Result = Difference<Example> & {
  readonly from?: string;
  readonly to?: string;
  /** Decisions that could not be replayed, by what was missing. */
  readonly skipped: Readonly<Record<string, number>>;
};

/** `weighbridge policy diff`: what would have changed for past requests. */
export const diff = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      data: { type: 'string' },
      since: { type: 'string' },
      examples: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [older, newer, ...more] = positionals;
  if (older === undefined || newer === undefined || more.length > 0) throw wrong('expected OLD and NEW');
  const examples = examplesOf(values.examples);
  const past = openPast(values.data);
  try {
    const before = older === 'logged' ? undefined : await setOf(older, past);
    const since = values.since === undefined ? 0 : timeOf('since', values.since);
    const result = await compare(past, before, await setOf(newer, past), { since, examples });
    io.stdout.write(values.json === true ? `${JSON.stringify(result)}\n` : report(result));
    return result.changed > 0 ? EXIT.refused : EXIT.ok;
  } finally {
    past.close();
  }
};

const wrong = (what: string): WeighbridgeError =>
  new WeighbridgeError('REQUEST_INVALID', `${what}; see weighbridge policy --help`);

/** A set by its path, or by the digest under which the records keep it. */
const setOf = async (named: string, past: Past): Promise<PolicySet> =>
  /^[0-9a-f]{64}$/.test(named) && !existsSync(named)
    ? past.kept.policies(named)
    : loadPolicies(await readPolicyFiles(named), Date.now());

const compare = async (
  past: Past,
  before: PolicySet | undefined,
  after: PolicySet,
  { since, examples }: { readonly since: number; readonly examples: number },
): Promise<Result> => {
  const difference = createDifference<Example>(examples);
  const skipped: Record<string, number> = {};
  let [from, to]: (string | undefined)[] = [];
  for await (const { of, replayed } of replay(past.entries(since), past.kept, before, after, Date.now())) {
    const { time } = of.entry;
    if (from === undefined || time < from) from = time;
    if (to === undefined || time > to) to = time;
    if (typeof replayed === 'string') skipped[replayed] = (skipped[replayed] ?? 0) + 1;
    else difference.add(replayed, exampleOf(of));
  }
  return { ...(from === undefined || to === undefined ? {} : { from, to }), ...difference.result(), skipped };
};

const report = (result: Result): string => {
  const { requests, changed, otherRule, uncounted, from, to, changes, skipped } = result;
  const span = from === undefined ? '' : ` from ${from} to ${to}`;
  const lines = [`${requests} requests${span}: ${changed} would change, ${requests - changed} would not`];
  if (otherRule > 0) lines.push(`${otherRule} of these by another rule`);
  for (const [why, count] of Object.entries(skipped)) lines.push(`${count} could not be decided again: ${why}`);
  for (const change of changes) lines.push('', ...wordChange(change));
  if (uncounted > 0) lines.push('', `and ${uncounted} requests that change in other ways`);
  return `${lines.join('\n')}\n`;
};
