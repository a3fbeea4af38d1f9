import type { GatheredRows } from '../../formats/dataset-rows.ts';
import { printable } from '../../formats/format.ts';
import { createPersonalData } from '../personal/columns.ts';
import type { Remark } from '../remark.ts';
import { createUrlList } from '../url-list.ts';
import { createBursts } from './bursts.ts';
import { type Column, count, emptyColumn, isTemplate, REFS, SHOWN, shownOf, sumUp } from './column.ts';
import { examine } from './examine.ts';
import { createFlaggedRows, type Flag, type Span } from './flagged.ts';
import { createRun, ENDS, ordersTogether, type Run, SHORT, type Together } from './runs.ts';
import { mustRead } from './sieve/text.ts';
import { createTriggers } from './triggers.ts';
import { CERTAIN, ORDER, type Verdict } from './verdict.ts';

/** Columns that are told apart; the others count as one. */
const COLUMNS = 500;
/** What stands for a column in prose, and where a row is read as it is written; characters of the end of a name that are read. */
const PASSAGES = 'text';
const ROW = '(row)';
/** Short cells of a row that are read together. */
const ROW_CELLS = 64;
const NAME = 1024;
/** Characters of a label. */
const LABEL = 40;
const LABEL_NAME =
  /(?:^|[._])(?:label|labels|category|type|class|tag|tags|kind|verdict|attack_type|classification)(?:$|\[)/i;
const LABEL_VALUE = /injection|jailbreak|attack|malicious|adversarial|unsafe|harmful|exfiltrat|override/i;

/** A row that speaks about injected text in one cell may quote it in another. */
const ABOUT = /prompt.?injection|jailbreak|adversarial|red.?team/i;

/** A set of rows that is read cell by cell. */
export type Dataset = {
  /** Reads one cell of the current row. `offset` is where it stands in the file. */
  cell(column: string, text: string, offset: number): void;
  /**
   * Reads a passage of prose, which what stands before and behind it belongs to. `about` says that the document around it
   * speaks about injected text, `example` that it stands in a block of code of such a document.
   */
  passage(text: string, offset: number, about: boolean, example: boolean): void;
  /** The short cells of a column, for who passes cells: each of them is part of what several may say together. */
  run(column: string): Run;
  /** The number of the row that is next, or current. */
  row(): number;
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
  /** Where the first of them stands. */
  let place = 0;
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

  const columnOf = (name: string, prose = false): Column => {
    const known = columns.get(name);
    if (known !== undefined) return known;
    named(name);
    const key = columns.size < COLUMNS ? printable(name, 100) : '(other columns)';
    const made = columns.get(key) ?? addColumn(key, prose);
    columns.set(key, made);
    return made;
  };

  /** Makes a column whose short cells are read together: what they say flags the row where it begins. */
  const addColumn = (key: string, prose: boolean): Column => {
    const column = emptyColumn(createRun((found) => sayTogether(key, column, found), !prose));
    return column;
  };
  const sayTogether = (key: string, column: Column, { verdict, row, offset }: Together): void => {
    column.orders += 1;
    if (verdict.score >= CERTAIN) column.certain += 1;
    if (column.together.length < SHOWN) column.together.push(shownOf(verdict, row, offset));
    // An order over several rows is none of one row: none can be left out.
    flagged.add(row, [flagOf(key, verdict)], undefined);
  };
  /** The short cells of a row may say together what none of them does. */
  const sayOfRow = (): void => {
    const texts = cells.filter(({ text }) => text !== '' && text.length <= SHORT);
    if (texts.length < 2 || texts.length > ROW_CELLS) return;
    const text = `${texts.map((cell) => cell.text.replaceAll('\n', ' ')).join('\n')}\n`;
    const verdict = mustRead(text) ? ordersTogether(text, true) : undefined;
    if (verdict === undefined) return;
    const column = columnOf(ROW);
    column.cells += 1;
    found.push({ name: ROW, column, verdict, offset: place, text });
  };
  const addToRun = ({ run }: Column, text: string, offset: number, prose: boolean): void => {
    if (text.length <= (prose ? ENDS : SHORT)) run.addText(text, rows + 1, offset);
    else {
      if (prose) run.addText(text.slice(0, ENDS), rows + 1, offset);
      run.end();
      if (prose) run.addText(text.slice(-ENDS), rows + 1, offset);
    }
  };

  const look = (name: string, text: string): void => {
    urls.cell(name, text);
    personal?.cell(name, text);
  };

  const cell = (name: string, text: string, offset: number, prose: boolean): Column => {
    const column = columnOf(name, prose);
    column.cells += 1;
    look(name, text);
    if (isLabel(name, text)) labelled = true;
    cells.push({ column: name, text });
    if (cells.length === 1) place = offset;
    return column;
  };

  return {
    cell(name, text, offset) {
      const column = cell(name, text, offset, false);
      addToRun(column, text, offset, false);
      const verdict = examine(text);
      if (verdict !== undefined) found.push({ name, column, verdict, offset, text });
    },
    passage(text, offset, about, example) {
      const column = cell(PASSAGES, text, offset, true);
      // What quotes such orders may do so line by line.
      if (about) column.run.end();
      else addToRun(column, text, offset, true);
      const verdict = examine(text, about);
      if (verdict === undefined) return;
      const judged = example ? { ...verdict, discussed: true } : verdict;
      found.push({ name: PASSAGES, column, verdict: judged, offset, text });
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
    run: (name) => columnOf(name).run,
    row: () => rows + 1,
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
      if (cells.length > 1 && found.length === 0) sayOfRow();
      // Rows that are not read one after the other do not go on in each other.
      if (row !== undefined) for (const { column } of cells) columnOf(column).run.end();
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
      for (const { run } of columns.values()) run.end();
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
