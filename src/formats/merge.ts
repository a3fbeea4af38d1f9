import { withoutRuns } from './dataset-rows.ts';
import { type Coverage, type Inspection, worseContent } from './format.ts';

/**
 * Two readings of one file: the name of the first, the worse content, the lesser coverage. Files beside it that would
 * prove one reading prove nothing of the other.
 */
export const merge = (a: Inspection, b: Inspection): Inspection => {
  const both = {
    ...b,
    ...a,
    content: worseContent(a.content, b.content),
    coverage: lesser(a.coverage, b.coverage),
    ...(a.rows === undefined ? {} : { rows: withoutRuns(a.rows, 'it can be read as more than one format') }),
  };
  const { parts, ...rest } = both;
  return parts === undefined ? both : rest;
};

const lesser = (a: Coverage, b: Coverage): Coverage => {
  const rank = { complete: 0, partial: 1, opaque: 2 };
  return rank[a.state] >= rank[b.state] ? a : b;
};
