import { explain } from '../../formats/findings/explain.ts';
import type { Look, Printer } from './printers.ts';
import { kindOf, placeOf, shown } from './shown.ts';
import type { Scanned } from './types.ts';

/** Findings written for one file. */
const SHOWN = 50;

/** Text for XML 1.0: what it cannot hold is written as an escape by `shown`. */
const escaped = (text: string): string =>
  shown(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[\ufffe\uffff]/g, '?');

/** One JUnit test suite with a test case for each file; the counts stand at its head, so it is written at the end. */
export const junit = ({ fails }: Look): Printer => {
  const cases: string[] = [];
  const counts = { failures: 0, errors: 0, seconds: 0 };
  return {
    begin: () => '',
    file(scanned) {
      const failing = !scanned.unreadable && fails(scanned);
      if (scanned.unreadable) counts.errors += 1;
      if (failing) counts.failures += 1;
      counts.seconds += scanned.ms / 1000;
      cases.push(caseOf(scanned, scanned.unreadable ? 'error' : failing ? 'failure' : undefined));
      return '';
    },
    end: () =>
      [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<testsuites>',
        `<testsuite name="weighbridge" tests="${cases.length}" failures="${counts.failures}" errors="${counts.errors}" skipped="0" time="${counts.seconds.toFixed(3)}">`,
        ...cases,
        '</testsuite>',
        '</testsuites>',
        '',
      ].join('\n'),
  };
};

const caseOf = (scanned: Scanned, outcome: 'error' | 'failure' | undefined): string => {
  const { path, action, rule, reason, ms } = scanned;
  const open = `<testcase name="${escaped(path)}" classname="weighbridge.${action}" time="${(ms / 1000).toFixed(3)}"`;
  if (outcome === undefined) return `${open}/>`;
  const message = reason === '' ? `${action} by ${rule}` : reason;
  return `${open}><${outcome} message="${escaped(message)}" type="${escaped(rule)}">${detailsOf(scanned).map(escaped).join('\n')}</${outcome}></testcase>`;
};

const detailsOf = (scanned: Scanned): readonly string[] => [
  `${scanned.action} by ${scanned.rule}: ${kindOf(scanned)}`,
  ...scanned.findings.slice(0, SHOWN).map((finding) => {
    const { severity, rule, message } = finding;
    return `${severity} ${rule} at ${placeOf(finding)}: ${message.replace(/[.\s]+$/, '')}. ${explain(rule)?.advice ?? ''}`.trim();
  }),
  ...(scanned.findings.length > SHOWN ? [`and ${scanned.findings.length - SHOWN} more findings`] : []),
];
