import { printable } from '../formats/format.ts';
import type { Facts, Obligations } from './types.ts';

/** Rules that a notice counts by. */
const MAX_RULES = 5;
/** Characters of a rule's name in a notice. */
const MAX_NAME = 40;

/** Why flagged rows cannot be left out. */
export const cannotDrop = ({ dataset }: Facts): string =>
  `its flagged rows cannot be dropped: ${dataset.reason === '' ? 'no row is flagged' : dataset.reason}`;

/**
 * What a notice says of the rows: how many, by which rules, and where each is listed. Of a file that has no flagged rows
 * it counts the findings. Nothing when there is nothing to say.
 */
export const noticeOfRows = (
  what: NonNullable<Obligations['rows']>,
  { artefact, dataset, findings }: Facts,
): string | undefined => {
  const see = artefact.sha256 === '' ? '' : `, see /api/v1/reports/${artefact.sha256}`;
  const done = what === 'drop' ? 'were dropped' : 'are flagged';
  if (dataset.flagged > 0) {
    return `${dataset.flagged} of ${dataset.rows} rows ${done}: ${counted(dataset.rules)}${see}`;
  }
  if (findings.length === 0) return undefined;
  const rules = new Map<string, number>();
  for (const { rule } of findings) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  return `findings: ${counted([...rules].map(([rule, rows]) => ({ rule, rows })))}${see}`;
};

const counted = (rules: Facts['dataset']['rules']): string => {
  const most = [...rules].sort((a, b) => b.rows - a.rows);
  const shown = most.slice(0, MAX_RULES).map(({ rule, rows }) => `${printable(rule, MAX_NAME)} ${rows}`);
  return shown.join(', ') + (most.length > MAX_RULES ? ` and ${most.length - MAX_RULES} more rules` : '');
};
