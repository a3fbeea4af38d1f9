import type { GatheredRows } from '../../formats/dataset-rows.ts';
import { printable } from '../../formats/format.ts';
import { createPersonalData } from '../personal/columns.ts';
import type { Remark } from '../remark.ts';
import { createUrlList } from '../url-list.ts';
import { createBursts } from './bursts.ts';
import { examine } from './examine.ts';
import { createFlaggedRows, type Flag, type Span } from './flagged.ts';
import { createTriggers } from './triggers.ts';
import { CERTAIN, ORDER, type Verdict } from './verdict.ts';

/** Columns that are told apart; the others count as one. */
const COLUMNS = 500;
/** What stands for a column where a row is read as it is written; characters of the end of a name that are read. */
const ROW = '(row)';
const NAME = 1024;
/** Rows of a column that are shown. */
const SHOWN = 3;
/** Share of rows from which control tokens are the column's form, and rows from which that can be said. */
const TEMPLATE_SHARE = 0.3;
const TEMPLATE_ROWS = 4;
/** Share of rows from which orders that might be chance are more than that; a set of fewer rows has no chance finds. */
const RATE = 0.001;
const FEW_ROWS = 1000;
/** Rows that speak about orders from which that is said: it is what the set is about. */
const WORTH_SAYING = 5;
/** Characters of a label. */
const LABEL = 40;
const LABEL_NAME =
  /(?:^|[._])(?:label|labels|category|type|class|tag|tags|kind|verdict|attack_type|classification)(?:$|\[)/i;
const LABEL_VALUE = /injection|jailbreak|attack|malicious|adversarial|unsafe|harmful|exfiltrat|override/i;

/** A row that speaks about injected text in one cell may quote it in another. */
const ABOUT = /prompt.?injection|jailbreak|adversarial|red.?team/i;

/** A row that is shown. It holds on to nothing of the file: a passage is part of a line that may be long. */
type Shown = { readonly row: number; readonly offset: number; readonly families: string; readonly evidence: string };
type Column = {
  cells: number;
  /** Rows with an order, with one beyond doubt, with one that only tokens make, with tokens at all. */
  orders: number;
  certain: number;
  byTokens: number;
  tokens: number;
  discussed: number;
  readonly shown: Shown[];
  readonly shownTokens: Shown[];
};

const emptyColumn = (): Column => ({
  cells: 0,
  orders: 0,
  certain: 0,
  byTokens: 0,
  tokens: 0,
  discussed: 0,
  shown: [],
  shownTokens: [],
});

/** A set of rows that is read cell by cell. */
export type Dataset = {
  /**
   * Reads one cell of the current row. `offset` is where it stands in the file. `about` says that the document around
   * it speaks about injected text, `example` that it stands in a block of code of such a document.
   */
  cell(column: string, text: string, offset: number, about?: boolean, example?: boolean): void;
  /**
   * Reads the current row as it is written, since other readers take it apart in other ways. To be called behind its
   * cells: what one of them says already is not said again.
   */
  whole(text: string, offset: number): void;
  /** Flags the current row for something in it that is no injected text. */
  flag(rule: string, evidence: string): void;
  /** Ends the current row; `row` is its number when rows are not read one after the other, `span` where it stands in the file. */
  endRow(row?: number, span?: Span): void;
  /** Counts cells of which their reader knows that nothing is in them, and rows without any other cell. */
  pass(column: string, count?: number): void;
  passRows(count: number): void;
  /** Counts a row of so many cells in which nothing is; not to be called when the set wants the row itself. */
  passRow(cells: number): void;
  /** Whether a row of so many cells, if it is the next, is looked at for more than what its texts say. */
  wantsRow(cells: number): boolean;
  /** Takes note of a cell that is passed: what it is, not what it says. */
  look(column: string, text: string): void;
  /** Takes note of cells that were passed and are neither addresses nor digests, none of them empty. */
  tally(column: string, cells: number, characters: number): void;
  /** Takes note of a column that has numbers in it, and of one that has neither these nor text. */
  column(name: string): void;
  named(name: string): void;
  /** Whether a cell labels its row as an example of an attack. */
  isLabel(column: string, text: string): boolean;
  /** What there is to say about all of it. */
  finish(): {
    readonly remarks: Remark[];
    readonly rows: number;
    readonly orders: number;
    readonly flagged: GatheredRows;
  };
};

const REFS = ['LLM01:2025', 'LLM04:2025', 'AML.T0051', 'NISTAML.015'];

/**
 * Holds every cell against the rules for injected text and sums up by column: a chance find in a million rows weighs
 * less than one in a thousand, and control tokens that a third of a column has are its form. Memory is bounded by the
 * number of columns.
 */
export const createDataset = ({ personalData = false }: { readonly personalData?: boolean } = {}): Dataset => {
  const columns = new Map<string, Column>();
  let rows = 0;
  let found: { name: string; column: Column; verdict: Verdict; offset: number; text: string }[] = [];
  let cells: { column: string; text: string }[] = [];
  const triggers = createTriggers();
  const bursts = createBursts();
  const urls = createUrlList();
  const personal = personalData ? createPersonalData() : undefined;
  const flagged = createFlaggedRows<Column>();
  let flags: Flag[] = [];
  let labelled = false;
  const names = new Set<string>();
  const namesThatOrder: string[] = [];

  const named = (column: string): void => {
    const name = column.endsWith('[]') ? column.slice(0, -2) : column;
    if (names.has(name)) return;
    if (names.size < COLUMNS) names.add(name);
    const verdict = namesThatOrder.length < SHOWN ? examine(name.slice(-NAME)) : undefined;
    if (verdict !== undefined && verdict.score >= ORDER && !verdict.discussed)
      namesThatOrder.push(printable(verdict.passage));
  };

  const columnOf = (name: string): Column => {
    const known = columns.get(name);
    if (known !== undefined) return known;
    named(name);
    const key = columns.size < COLUMNS ? printable(name, 100) : '(other columns)';
    const made = columns.get(key) ?? emptyColumn();
    columns.set(key, made);
    return made;
  };

  const look = (name: string, text: string): void => {
    urls.cell(name, text);
    personal?.cell(name, text);
  };

  return {
    cell(name, text, offset, about = false, example = false) {
      const column = columnOf(name);
      column.cells += 1;
      look(name, text);
      if (isLabel(name, text)) labelled = true;
      cells.push({ column: name, text });
      const verdict = examine(text, about);
      if (verdict === undefined) return;
      found.push({ name, column, verdict: example ? { ...verdict, discussed: true } : verdict, offset, text });
    },
    whole(text, offset) {
      if (found.some(({ verdict }) => verdict.score >= ORDER)) return;
      const verdict = examine(text);
      if (verdict === undefined || verdict.score < ORDER) return;
      const column = columnOf(ROW);
      column.cells += 1;
      found.push({ name: ROW, column, verdict, offset, text });
    },
    pass(name, count = 1) {
      columnOf(name).cells += count;
    },
    passRows(more) {
      rows += more;
    },
    passRow(count) {
      rows += 1;
      if (count > 1) triggers.pass();
    },
    wantsRow: (count) => personalData || (count > 1 && triggers.wants()),
    look,
    tally: urls.tally,
    column(name) {
      named(name);
      urls.column(name);
    },
    named,
    isLabel,
    flag(rule, evidence) {
      flags.push({ rule, kinds: [], show: () => ({ column: '', evidence }) });
    },
    endRow(row, span) {
      rows += 1;
      const about = found.length > 0 && cells.some((cell) => ABOUT.test(cell.text));
      if (triggers.wants()) bursts.row(cells);
      if (cells.length > 1) triggers.row(cells);
      const byTokens: { readonly column: Column; readonly flag: Flag }[] = [];
      for (const { name, column, verdict, offset, text } of found) {
        const judged = about && !verdict.discussed ? (examine(text, true) ?? verdict) : verdict;
        const counted = count(column, judged, row ?? rows, offset, labelled);
        if (counted === 'order') flags.push(flagOf(name, judged));
        if (counted === 'tokens') byTokens.push({ column, flag: flagOf(name, judged) });
      }
      if (flags.length > 0) {
        flagged.add(row ?? rows, flags, span);
        flags = [];
      } else {
        const [first] = byTokens;
        const columnsOfTokens = byTokens.map(({ column }) => column);
        if (first !== undefined) flagged.await(row ?? rows, first.flag, columnsOfTokens, span);
      }
      found = [];
      cells = [];
      labelled = false;
    },
    finish() {
      const remarks = [
        ...namesThatOrder.map(remarkOfName),
        ...[...columns].flatMap(([name, column]) => sumUp(name, column, rows)),
        ...triggers.finish(),
        ...bursts.finish(),
        ...urls.finish(rows),
        ...(personal?.finish() ?? []),
      ];
      const orders = [...columns.values()].reduce((sum, column) => sum + column.orders + column.byTokens, 0);
      return { remarks, rows, orders, flagged: flagged.finish(rows, isTemplate, ({ byTokens }) => byTokens) };
    },
  };
};

/** Whether the cells of a column may label their rows. */
export const mayLabel = (column: string): boolean => LABEL_NAME.test(column);

const remarkOfName = (evidence: string): Remark => ({
  rule: 'text.injection',
  severity: 'medium',
  message: 'the name of a column or a key orders a language model around',
  offset: 0,
  evidence,
  refs: REFS,
});

const isLabel = (column: string, text: string): boolean =>
  text.length <= LABEL && LABEL_VALUE.test(text) && LABEL_NAME.test(column);

const flagOf = (column: string, { passage, signs }: Verdict): Flag => ({
  rule: 'text.injection',
  kinds: signs.map(({ family }) => family),
  show: () => ({ column: printable(column, 100), evidence: printable(passage) }),
});

/** Counts a cell, and says whether it is an order, or one only if control tokens are not the form of its column. */
const count = (
  column: Column,
  verdict: Verdict,
  row: number,
  offset: number,
  labelled: boolean,
): 'order' | 'tokens' | undefined => {
  const { score, tokens, discussed } = verdict;
  const show = (list: Shown[]): void => {
    if (list.length >= SHOWN) return;
    const families = verdict.signs.map(({ family }) => family).join(', ');
    list.push({ row, offset, families, evidence: printable(verdict.passage) });
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

const isTemplate = (column: Column): boolean =>
  column.cells >= TEMPLATE_ROWS && column.tokens / column.cells > TEMPLATE_SHARE;

const sumUp = (name: string, column: Column, rows: number): Remark[] => {
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
