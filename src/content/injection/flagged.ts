import { type FlaggedRow, type GatheredRows, MAX_RUNS, MAX_SHOWN, type RowRun } from '../../formats/dataset-rows.ts';

/** Rows that only control tokens flag: whether they are flagged is known when their column is. */
const MAX_WAITING = 50_000;
/** Different rules that are counted. */
const MAX_RULES = 100;

/** Where a row stands in the file; nothing is known of rows that are read column by column. */
export type Span = { readonly start: number; readonly end: number };
/** What is shown of a row: made for the few that are. */
export type Shown = Pick<FlaggedRow, 'column' | 'evidence'>;
/** What flags a row. `kinds` are the ways in which it steers. */
export type Flag = { readonly rule: string; readonly kinds: readonly string[]; show(): Shown };
type Waiting<Column> = {
  readonly row: number;
  readonly rule: string;
  readonly kinds: readonly string[];
  /** Made at once: nothing that waits holds on to the text of the file. */
  readonly shown: Shown | undefined;
  readonly columns: readonly Column[];
  readonly span: Span | undefined;
};

/** Gathers the flagged rows of one file, in bounded memory. */
export type FlaggedRows<Column> = {
  add(row: number, flags: readonly Flag[], span: Span | undefined): void;
  /** A row that is flagged unless control tokens are the form of all these columns. */
  await(row: number, flag: Flag, columns: readonly Column[], span: Span | undefined): void;
  finish(total: number, isTemplate: (column: Column) => boolean, orders: (column: Column) => number): GatheredRows;
};

export const createFlaggedRows = <Column>(): FlaggedRows<Column> => {
  const runs: RowRun[] = [];
  const shown: FlaggedRow[] = [];
  const rules = new Map<string, number>();
  const kinds = new Set<string>();
  let waiting: Waiting<Column>[] = [];
  const forgotten = new Set<Column>();
  let flagged = 0;
  let whole = true;
  let placed = true;

  const count = (row: number, flags: readonly Flag[]): void => {
    flagged += 1;
    for (const rule of new Set(flags.map((flag) => flag.rule)))
      if (rules.has(rule) || rules.size < MAX_RULES) rules.set(rule, (rules.get(rule) ?? 0) + 1);
    for (const flag of flags) {
      for (const kind of flag.kinds) kinds.add(kind);
      if (shown.length < MAX_SHOWN) shown.push({ row, rule: flag.rule, ...flag.show() });
    }
  };

  const add: FlaggedRows<Column>['add'] = (row, flags, span) => {
    count(row, flags);
    if (span === undefined) placed = false;
    else if (!join(runs, { first: row, last: row, rule: flags[0]?.rule ?? '', ...span })) whole = false;
  };

  return {
    add,
    await(row, flag, columns, span) {
      if (waiting.length < MAX_WAITING) {
        const { kinds: ways, rule } = flag;
        const seen = waiting.length < MAX_SHOWN ? flag.show() : undefined;
        waiting.push({ row, rule, kinds: ways, shown: seen, columns, span });
        return;
      }
      // So many are the form of their columns; if they prove not to be, nothing can be dropped.
      for (const before of waiting) for (const column of before.columns) forgotten.add(column);
      for (const column of columns) forgotten.add(column);
      waiting = [];
    },
    finish(total, isTemplate, orders) {
      const early = runs.splice(0);
      const late: RowRun[] = [];
      const sure = waiting.filter(({ columns }) => columns.some((column) => !isTemplate(column)));
      for (const { row, rule, kinds: ways, shown: seen = { column: '', evidence: '' }, span } of sure) {
        count(row, [{ rule, kinds: ways, show: () => seen }]);
        if (span === undefined) placed = false;
        else if (!join(late, { first: row, last: row, rule, ...span })) whole = false;
      }
      const lost = [...forgotten].filter((column) => !isTemplate(column));
      flagged += lost.reduce((most, column) => Math.max(most, orders(column)), 0);
      for (const run of [...early, ...late].sort((a, b) => a.first - b.first)) if (!join(runs, run)) whole = false;
      const complete = whole && placed && lost.length === 0;
      return {
        total,
        flagged: Math.min(flagged, total),
        rules: [...rules].map(([rule, rows]) => ({ rule, rows })),
        kinds: [...kinds].sort(),
        shown: shown.sort((a, b) => a.row - b.row),
        ...(complete ? { runs } : {}),
        tooMany: !whole || lost.length > 0,
      };
    },
  };
};

/** Appends a run, to the last one when it goes on; false when there are too many. */
const join = (runs: RowRun[], run: RowRun): boolean => {
  const last = runs.at(-1);
  if (last !== undefined && last.last + 1 === run.first && last.end === run.start && last.rule === run.rule) {
    runs[runs.length - 1] = { ...last, last: run.last, end: run.end };
    return true;
  }
  if (runs.length >= MAX_RUNS) return false;
  runs.push(run);
  return true;
};
