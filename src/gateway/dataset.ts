import type { Report } from '../formats/format.ts';
import type { Facts } from '../policy/types.ts';

/** The facts of something that is no dataset, or of which nothing is known yet. */
export const NO_DATASET: Facts['dataset'] = {
  rows: 0,
  flagged: 0,
  rules: [],
  kinds: [],
  droppable: false,
  reason: '',
};

/** What the policy is told of the rows of a report. */
export const datasetOf = ({ rows }: Report): Facts['dataset'] => {
  if (rows === undefined) return NO_DATASET;
  const { total, flagged, rules, kinds, runs, notDroppable = '' } = rows;
  return { rows: total, flagged, rules, kinds, droppable: runs !== undefined, reason: notDroppable };
};
