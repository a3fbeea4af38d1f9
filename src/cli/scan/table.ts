import type { Severity } from '../../formats/format.ts';
import type { Action } from '../../policy/types.ts';
import type { Look, Printer } from './printers.ts';
import { createTally, kindOf, placeOf, shown } from './shown.ts';

const ACTION_COLOURS: Readonly<Record<Action, number>> = { allow: 32, convert: 36, quarantine: 33, deny: 31 };
const SEVERITY_COLOURS: Readonly<Record<Severity, number>> = { info: 2, low: 36, medium: 33, high: 31, critical: 35 };
const DIM = 2;
/** Findings shown for one file; `--json` has all. */
const SHOWN = 10;

/** A line per file and, unless it is allowed, why. */
export const table = ({ colour }: Look): Printer => {
  const tally = createTally();
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const begun = performance.now();
  return {
    begin: () => '',
    file(scanned) {
      const { action, path, rule, reason, findings } = scanned;
      tally.add(scanned);
      const named = paint(ACTION_COLOURS[action], action.padEnd(10));
      const lines = [`${named} ${shown(path)}  ${paint(DIM, kindOf(scanned))}`];
      if (action !== 'allow') lines.push(`           ${rule}: ${reason}`);
      for (const finding of findings.slice(0, SHOWN)) {
        const severity = paint(SEVERITY_COLOURS[finding.severity], finding.severity.padEnd(8));
        lines.push(`           ${severity} ${finding.rule} at ${placeOf(finding)}  ${finding.message}`);
      }
      if (findings.length > SHOWN) lines.push(`           and ${findings.length - SHOWN} more findings`);
      return `${lines.join('\n')}\n`;
    },
    end: () => `${tally.said()} in ${((performance.now() - begun) / 1000).toFixed(1)} s\n`,
  };
};
