import { z } from 'zod';
import { MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { MAX_RUNS, MAX_SHOWN } from '../formats/dataset-rows.ts';
import { CONTENTS, DTYPES, type Json, type Report, SEVERITIES } from '../formats/format.ts';
import type { SandboxFault } from './opaque.ts';

/** Findings in a report; the parsers' own limit is lower. */
const FINDINGS = 10_000;
/** Tensors and storages of a plan, and what it drops. */
const TENSORS = 200_000;
/** Bytes that a wrapped checkpoint becomes: of formats/archive/sink.ts, which holds them in memory. */
const UNWRAPPED = 128 * MIB;
/** Dimensions of a tensor; torch allows 64. */
const DIMENSIONS = 64;
/** Characters of a name from inside a file: a tensor, a member. */
const NAME = 4096;
/** Rules that flagged rows, and ways in which these steer. */
const RULES = 100;
/** Nesting and entries of `details`. */
const DETAIL_DEPTH = 8;
const DETAIL_ENTRIES = 5000;

const ascii = (limit: number) =>
  z
    .string()
    .max(limit)
    .regex(/^[\x20-\x7e]*$/, 'expected printable ASCII');
const name = z
  .string()
  .max(NAME)
  .refine((text) => text.isWellFormed(), 'expected well-formed text');
const count = z.int().min(0);
const keyOf = <T extends object>(table: T) => z.enum(Object.keys(table) as [keyof T & string, ...(keyof T & string)[]]);

const ruleId = ascii(100).regex(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);

const finding = z.strictObject({
  rule: ruleId,
  severity: z.enum(SEVERITIES),
  message: ascii(2000),
  where: z.strictObject({ path: z.array(ascii(400)).max(16), offset: count, line: count.optional() }),
  evidence: ascii(200),
  refs: z.array(ascii(60)).max(32),
});

const coverage = z.strictObject({
  state: z.enum(['complete', 'partial', 'opaque']),
  bytesInspected: count,
  bytesTotal: count,
  reason: ascii(2000),
});

const storage = z.strictObject({
  name,
  offset: count,
  length: count,
  size: count,
  method: z.enum(['stored', 'deflated']),
  byteOrder: z.enum(['little', 'big']),
  localHeader: count.optional(),
});

const tensor = z.strictObject({
  name,
  dtype: keyOf(DTYPES),
  shape: z.array(count).max(DIMENSIONS),
  storage: count,
  offset: count,
  strides: z.array(z.int()).max(DIMENSIONS),
});

const plan = z.strictObject({
  storages: z.array(storage).max(TENSORS),
  tensors: z.array(tensor).max(TENSORS),
  dropped: z.array(z.strictObject({ path: name, type: name })).max(TENSORS),
  wrapped: z.strictObject({ by: z.array(ascii(20)).min(1).max(16), size: count.max(UNWRAPPED) }).optional(),
});

/** Companions of one index, names and fixed bytes of one: of formats/companions.ts, with room. */
const COMPANIONS = 5000;
const FIXED = 50_000;
/** Neighbours of one record of a graph: of formats/hnswlib/parts.ts. */
const NEIGHBOURS = 10_000;
/** Axes of one array: of formats/json/zarr.ts. */
const RANK = 64;

const companion = z.strictObject({
  names: z.array(name.min(1)).max(COMPANIONS),
  sameStem: z.boolean(),
  size: count,
  fixed: z.array(z.strictObject({ offset: count, length: count, value: count })).max(FIXED),
  graph: z.strictObject({ count, size: count.min(1), most: count.max(NEIGHBOURS) }).optional(),
  grid: z
    .strictObject({
      prefix: z.enum(['', 'c']),
      separator: z.enum(['.', '/']),
      counts: z.array(count).max(RANK),
      packing: z.string().max(20),
    })
    .optional(),
});

/** Files of one index of parts: of formats/pickle/checkpoint-index.ts. */
const PART_FILES = 4096;

const part = z.strictObject({ name: name.min(1), size: count, count: count.min(1), cuts: ascii(64) });

const row = count.min(1);
const run = z.strictObject({ first: row, last: row, rule: ruleId, start: count, end: count });

const rows = z.strictObject({
  total: count,
  flagged: count,
  rules: z.array(z.strictObject({ rule: ruleId, rows: count })).max(RULES),
  kinds: z.array(ascii(100)).max(RULES),
  shown: z.array(z.strictObject({ row, column: ascii(200), rule: ruleId, evidence: ascii(200) })).max(MAX_SHOWN),
  runs: z.array(run).max(MAX_RUNS).optional(),
  rewritten: count.optional(),
  notDroppable: ascii(2000).optional(),
});

const isSmall = (value: unknown): boolean => {
  let left = DETAIL_ENTRIES;
  const walk = (part: unknown, depth: number): boolean => {
    if (depth > DETAIL_DEPTH || --left < 0) return false;
    if (typeof part === 'string') return part.length <= NAME && part.isWellFormed();
    if (typeof part !== 'object' || part === null) return true;
    return Object.entries(part).every(([key, entry]) => key.length <= NAME && walk(entry, depth + 1));
  };
  return walk(value, 0);
};

const details = z.record(z.string(), z.custom<Json>()).refine(isSmall, 'expected few and small details');

/** A report as it comes out of a worker, is kept and is shown. */
export const reportSchema = z.strictObject({
  format: ascii(60).min(1),
  content: z.enum(CONTENTS),
  coverage,
  plan: plan.optional(),
  notConvertible: ascii(2000).optional(),
  rows: rows.optional(),
  details: details.optional(),
  companions: z.array(companion).max(COMPANIONS).optional(),
  parts: z.array(part).max(PART_FILES).optional(),
  findings: z.array(finding).max(FINDINGS),
});

const failureSchema = z.strictObject({
  why: z.enum(['timeout', 'memory', 'error', 'too-long']),
  message: z.string().max(2000),
});
const FAILURE_CODES = {
  timeout: 'SANDBOX_TIMEOUT',
  memory: 'SANDBOX_MEMORY',
  error: 'SANDBOX_CRASHED',
  'too-long': 'SANDBOX_LIED',
} as const;

/** Reads why a worker has no report; a failure that is not understood is a lie. */
export const readFailure = (json: string): SandboxFault => {
  try {
    const { why, message } = failureSchema.parse(JSON.parse(json));
    return { code: FAILURE_CODES[why], message: `${why}: ${message}` };
  } catch {
    return { code: 'SANDBOX_LIED', message: 'the worker said something that is not understood' };
  }
};

/** What a report may not say about a file of `size` bytes, however well it is formed; undefined when it is plausible. */
const contradiction = (
  { coverage: { state, bytesInspected, bytesTotal, reason }, plan: made, rows: said }: z.infer<typeof reportSchema>,
  size: number,
) => {
  if (bytesTotal !== size) return `it speaks of ${bytesTotal} bytes where the file has ${size}`;
  if (bytesInspected > size) return 'it inspected more bytes than there are';
  if (state === 'complete' && reason !== '') return 'it is complete and says why it is not';
  const held = made?.wrapped?.size ?? size;
  if (made?.storages.some(({ offset, length }) => offset > held || length > held - offset)) {
    return 'its plan has a storage outside the file';
  }
  if (made?.tensors.some((each) => each.storage >= made.storages.length || each.shape.length !== each.strides.length)) {
    return 'its plan has a tensor without a storage';
  }
  return said === undefined ? undefined : contradictionOfRows(said, size);
};

/** Runs are in order and apart, inside the file, and hold as many rows as are flagged; some row stays. */
const contradictionOfRows = (said: z.infer<typeof rows>, size: number): string | undefined => {
  const { flagged, rewritten, runs, total } = said;
  if (flagged > total) return 'more of its rows are flagged than there are';
  if (runs === undefined) return undefined;
  let [row, end, sum] = [0, 0, 0];
  for (const run of runs) {
    if (run.first <= row || run.last < run.first || run.last > total) return 'its runs of rows are out of order';
    const apart = rewritten === undefined ? run.start >= end && run.end > run.start : run.start === 0 && run.end === 0;
    if (!apart || run.end > size) return 'its runs of rows are not apart in the file';
    [row, end, sum] = [run.last, run.end, sum + run.last - run.first + 1];
  }
  return sum === flagged && flagged < total ? undefined : 'its runs of rows are not the rows that are flagged';
};

/**
 * Reads a worker's report on a file of `size` bytes. The isolate may have been taken over by the file, so the report
 * is checked like any input; what it says is believed no more than the parsers are. Throws SANDBOX_LIED.
 */
export const readReport = (json: string, size: number): Report => {
  const lied = (how: string): never => {
    throw new WeighbridgeError('SANDBOX_LIED', `the worker's report is not one: ${how}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return lied('it is not JSON');
  }
  const parsed = reportSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return lied(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`);
  }
  const wrong = contradiction(parsed.data, size);
  return wrong === undefined ? (parsed.data as Report) : lied(wrong);
};
