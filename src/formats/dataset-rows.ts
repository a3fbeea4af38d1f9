/** Runs of flagged rows that a report carries; more lie too widely for a plan, and their rows cannot be dropped. */
export const MAX_RUNS = 20_000;
/** Flagged rows that a report shows with what was found. */
export const MAX_SHOWN = 200;

/** A flagged row as people are shown it. */
export type FlaggedRow = {
  /** Its number in the file, from 1; the header of a table is row 1. */
  readonly row: number;
  readonly column: string;
  readonly rule: string;
  /** What was seen, through `printable()`. */
  readonly evidence: string;
};

/**
 * Flagged rows that follow each other, and the bytes of the file that they take, from `start` to `end` (exclusive); both are
 * 0 where cells lie column by column.
 */
export type RowRun = {
  readonly first: number;
  readonly last: number;
  readonly rule: string;
  readonly start: number;
  readonly end: number;
};

/** What inspection says of the rows of a dataset. A row is flagged when something in it orders a model around, or is dangerous by itself. */
export type DatasetRows = {
  readonly total: number;
  readonly flagged: number;
  /** For each rule, how many rows it flagged; a row counts once. */
  readonly rules: readonly { readonly rule: string; readonly rows: number }[];
  /** The ways in which flagged rows try to steer a model, e.g. `override`, `exfiltration`. */
  readonly kinds: readonly string[];
  readonly shown: readonly FlaggedRow[];
  /** Every flagged row, in file order: what is left when their bytes are left out is the dataset without them. */
  readonly runs?: readonly RowRun[];
  /**
   * Bytes of the file without the runs, where their cells lie column by column: it has to be written anew, and was once
   * already, to see that it can be.
   */
  readonly rewritten?: number;
  /** Why flagged rows cannot be left out. */
  readonly notDroppable?: string;
};

/** Said of files whose rows have no places that are known to the byte. */
export const UTF16 = 'it is in UTF-16: the places of its rows are not known to the byte';

/** Where rows lie of which no run of bytes is one. */
export const NO_BYTES = { start: 0, end: 0 } as const;

/** Said of formats that keep their cells column by column: no run of bytes is a row. */
export const IN_COLUMNS = 'its cells lie column by column: no rows can be cut out without writing it anew';

/** Flagged rows as they were gathered. `runs` is missing when a place of one is not known, or when there are too many. */
export type GatheredRows = Omit<DatasetRows, 'notDroppable'> & { readonly tooMany: boolean };

/** The rows of a file whose runs can be left out; not when too many lie too widely, or when nothing would be left. */
export const rowsOf = (gathered: GatheredRows): DatasetRows => {
  const { runs, tooMany, ...rest } = gathered;
  if (rest.flagged === 0) return rest;
  if (tooMany) return notDroppable(gathered, `its flagged rows lie in more than ${MAX_RUNS} places`);
  if (runs === undefined) return notDroppable(gathered, 'the places of its flagged rows are not known');
  if (rest.flagged >= rest.total) return notDroppable(gathered, 'every row is flagged');
  return { ...rest, runs };
};

/** The same rows, of which none can be left out; a reason that is known stays. */
export const withoutRuns = (rows: DatasetRows, reason: string): DatasetRows =>
  rows.runs === undefined ? rows : notDroppable({ ...rows, tooMany: false }, reason);

/** The rows of a file that none can be left out of, and why. */
export const notDroppable = ({ total, flagged, rules, kinds, shown }: GatheredRows, reason: string): DatasetRows => {
  const rest = { total, flagged, rules, kinds, shown };
  return flagged === 0 ? rest : { ...rest, notDroppable: reason };
};
