import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';
import type { Run } from './runs.ts';
import { CERTAIN, ORDER, type Verdict } from './verdict.ts';

/** Rows of a column that are shown. */
export const SHOWN = 3;
/** Share of rows from which control tokens are the column's form, and rows from which that can be said. */
const TEMPLATE_SHARE = 0.3;
const TEMPLATE_ROWS = 4;
/** Share of rows from which orders that might be chance are more than that; a set of fewer rows has no chance finds. */
const RATE = 0.001;
const FEW_ROWS = 1000;
/** Rows that speak about orders from which that is said: it is what the set is about. */
const WORTH_SAYING = 5;
/** What findings of injected text refer to. */
export const REFS = ['LLM01:2025', 'LLM04:2025', 'AML.T0051', 'NISTAML.015'];

/** A row that is shown. It holds on to nothing of the file: a passage is part of a line that may be long. */
export type Shown = {
  readonly row: number;
  readonly offset: number;
  readonly families: string;
  readonly evidence: string;
};
/** What is known of a column: counts, and a few rows. */
export type Column = {
  cells: number;
  /** Rows with an order, with one beyond doubt, with one that only tokens make, with tokens at all. */
  orders: number;
  certain: number;
  byTokens: number;
  tokens: number;
  discussed: number;
  readonly shown: Shown[];
  readonly shownTokens: Shown[];
  /** Short cells that follow each other, and what they say together. */
  readonly run: Run;
  readonly together: Shown[];
};

/** A column of which nothing was read. */
export const emptyColumn = (run: Run): Column => ({
  cells: 0,
  orders: 0,
  certain: 0,
  byTokens: 0,
  tokens: 0,
  discussed: 0,
  shown: [],
  shownTokens: [],
  run,
  together: [],
});

/** What is kept of a finding. */
export const shownOf = ({ signs, passage }: Verdict, row: number, offset: number): Shown => {
  const families = signs.map(({ family }) => family).join(', ');
  return { row, offset, families, evidence: printable(passage) };
};

/** Counts a cell, and says whether it is an order, or one only if control tokens are not the form of its column. */
export const count = (
  column: Column,
  verdict: Verdict,
  row: number,
  offset: number,
  labelled: boolean,
): 'order' | 'tokens' | undefined => {
  const { score, tokens, discussed } = verdict;
  const show = (list: Shown[]): void => {
    if (list.length < SHOWN) list.push(shownOf(verdict, row, offset));
  };
  if (tokens > 0) column.tokens += 1;
  if (score + tokens < ORDER) return undefined;
  if (discussed || labelled) {
    column.discussed += 1;
    return undefined;
  }
  if (score < ORDER) {
    column.byTokens += 1;
    show(column.shownTokens);
    return 'tokens';
  }
  column.orders += 1;
  if (score >= CERTAIN) column.certain += 1;
  show(column.shown);
  return 'order';
};

/** Whether control tokens are the form of a column. */
export const isTemplate = (column: Column): boolean =>
  column.cells >= TEMPLATE_ROWS && column.tokens / column.cells > TEMPLATE_SHARE;

/** What there is to say about a column of so many rows. */
export const sumUp = (name: string, column: Column, rows: number): Remark[] => {
  const remarks: Remark[] = [];
  const shownName = printable(name, 60);
  const template = isTemplate(column);
  const orders = column.orders + (template ? 0 : column.byTokens);
  const often = rows < FEW_ROWS || orders / Math.max(1, column.cells) > RATE;
  const severity = column.certain > 0 || often ? 'medium' : 'low';
  for (const { row, offset, families, evidence } of [...column.shown, ...(template ? [] : column.shownTokens)].slice(
    0,
    SHOWN,
  )) {
    remarks.push({
      rule: 'text.injection',
      severity,
      message: `${shownName}: ${orders} of ${column.cells} cells order a language model around; row ${row}: ${families}`,
      offset,
      evidence,
      refs: REFS,
    });
  }
  for (const { row, offset, families, evidence } of column.together)
    remarks.push({
      rule: 'text.injection',
      severity,
      message: `${shownName}: short texts order a language model around together, from row ${row} on: ${families}`,
      offset,
      evidence,
      refs: REFS,
    });
  const first = column.shown[0] ?? column.shownTokens[0];
  if (template) {
    remarks.push({
      rule: 'text.chat-format',
      severity: 'info',
      message: `${shownName}: ${column.tokens} of ${column.cells} cells hold control tokens: the form of the column`,
      offset: first?.offset ?? 0,
    });
  }
  if (column.discussed >= WORTH_SAYING) {
    remarks.push({
      rule: 'text.injection-discussed',
      severity: 'info',
      message: `${shownName}: ${column.discussed} of ${column.cells} cells quote or label orders to language models`,
      offset: 0,
    });
  }
  return remarks;
};
