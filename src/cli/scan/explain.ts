import { explain, explainedAs, findings } from '../../formats/findings/explain.ts';
import { type CommandIo, EXIT } from '../command.ts';

/** Rules named when the one asked for is none. */
const NEAR = 12;

/** Prints what the table of findings says about a rule. */
export const printExplanation = (rule: string, io: CommandIo): number => {
  const found = explain(rule);
  if (found === undefined) {
    const [family = ''] = rule.split('.');
    const near = Object.keys(findings).filter((known) => family !== '' && known.includes(family));
    const hint = near.length === 0 ? 'docs/findings.md lists them all' : `there is ${near.slice(0, NEAR).join(', ')}`;
    io.stderr.write(`weighbridge scan: there is no rule '${rule.slice(0, 100)}': ${hint}\n`);
    return EXIT.failed;
  }
  const key = explainedAs(rule) ?? rule;
  const { title, why, advice, refs } = found;
  const name = key === rule ? rule : `${rule} (explained as ${key})`;
  io.stdout.write(`${name}\n\n  ${title}\n  ${why}\n\n  What to do: ${advice}\n  References: ${refs.join(', ')}\n`);
  return EXIT.ok;
};
