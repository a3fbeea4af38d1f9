import { SEVERITIES } from '../../formats/format.ts';
import { ACTIONS } from '../../policy/types.ts';
import type { Scanned } from './types.ts';

/** What `--fail-on` takes: how bad a finding or which action ends the scan with exit code 1. */
export const THRESHOLDS: readonly string[] = [...SEVERITIES, 'convert', 'quarantine', 'deny'];

/** Whether a file makes the scan fail. */
export type Fails = (scanned: Scanned) => boolean;

/**
 * The rule of `--fail-on`. An action means itself and every stronger one; a severity means refusals as well as findings
 * from there on, for what is refused may have none.
 */
export const failsOn = (threshold: string): Fails => {
  const action = ACTIONS.map(String).indexOf(threshold);
  if (action > 0) return (scanned) => ACTIONS.indexOf(scanned.action) >= action;
  const severity = SEVERITIES.map(String).indexOf(threshold);
  const refused = ACTIONS.indexOf('quarantine');
  return ({ action: taken, findings }) =>
    ACTIONS.indexOf(taken) >= refused ||
    (severity >= 0 && findings.some((finding) => SEVERITIES.indexOf(finding.severity) >= severity));
};
