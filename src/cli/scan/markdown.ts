import { explain } from '../../formats/findings/explain.ts';
import type { Finding } from '../../formats/format.ts';
import type { Printer } from './printers.ts';
import { createTally, kindOf, placeOf, shown } from './shown.ts';
import type { Scanned } from './types.ts';

/** Findings listed for one file, and files listed with theirs: a page beyond is for nobody. */
const SHOWN = 20;
const DETAILED = 200;

/** Text that stays text in Markdown and in the HTML made of it. */
const plain = (text: string): string =>
  shown(text)
    .replace(/[\\`*_{}[\]()#+!|~@:$]/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

/** A table of files as they come, then the findings of those that have any, with what to do. */
export const markdown = (): Printer => {
  const tally = createTally();
  const details: string[] = [];
  let found = 0;
  return {
    begin: () => '## Weighbridge scan\n\n| action | file | what it is | why |\n| --- | --- | --- | --- |\n',
    file(scanned) {
      const { action, path, rule, reason, findings } = scanned;
      tally.add(scanned);
      if (findings.length > 0 && ++found <= DETAILED) details.push(detailOf(scanned));
      const why = action === 'allow' ? '' : `${plain(rule)}&#58; ${plain(reason)}`;
      return `| **${action}** | ${plain(path)} | ${plain(kindOf(scanned))} | ${why} |\n`;
    },
    end: () => {
      const more = found > DETAILED ? [`Findings of ${found - DETAILED} more files are not listed.`] : [];
      return `${['', `${tally.said()}.`, ...details, ...more].join('\n\n').slice(1)}\n`;
    },
  };
};

const detailOf = ({ path, findings }: Scanned): string => {
  const rest = findings.length > SHOWN ? [`- and ${findings.length - SHOWN} more findings`] : [];
  return [`### ${plain(path)}`, '', ...findings.slice(0, SHOWN).map(lineOf), ...rest].join('\n');
};

const lineOf = (finding: Finding): string => {
  const { severity, rule, message, refs } = finding;
  const advice = explain(rule)?.advice ?? '';
  const said = `- **${severity}** ${plain(rule)} at ${plain(placeOf(finding))}&#58; ${plain(message)}`;
  return [said, advice, refs.join(', ')].filter((part) => part !== '').join('<br>');
};
