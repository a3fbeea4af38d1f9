import { type Budget, KIB, MIB } from '../../bytes/limits.ts';
import { head, type RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8, utf8Length } from '../../bytes/utf8.ts';
import { createDataset, type Dataset } from '../../content/injection/dataset.ts';
import type { Span } from '../../content/injection/flagged.ts';
import { reportAll } from '../../content/remark.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Inspection, incomplete, printable } from '../format.ts';
import { encodingOf } from '../text/decode.ts';
import { type Document, isObject, type JsonValue } from './parse.ts';
import { parsePart } from './part.ts';
import { createQuickRows, type QuickRows } from './quick.ts';
import { inStreamedList } from './rows.ts';
import { type Checked, checkModules, checkOverwritten, checkRow, endRow } from './rules.ts';
import { createValues, type Values } from './values.ts';

/** Bytes of a list from which it is read element by element: smaller ones are read whole, as configurations are. */
const LIST = 4 * MIB;
/** Bytes of one element, as of a line of JSON Lines, and of all that an object has beside its lists of rows. */
const ELEMENT = 16 * MIB;
/** Bytes of a key of the object around them. */
const KEY = 4 * KIB;
/** Bytes of elements that are read as they lie, for a step; characters of others that cost a step. */
const BYTES = 512;
const CHARACTERS = 64;
/** Keys under which data sets keep their rows. Under others stand parts of models, which are read as a whole. */
const FIELDS: ReadonlySet<string> = new Set(
  'data rows examples records instances samples items documents train validation test dev'.split(' '),
);
const [COMMA, OPENS_LIST, CLOSES_LIST, OPENS_OBJECT, CLOSES_OBJECT, COLON] = [0x2c, 0x5b, 0x5d, 0x7b, 0x7d, 0x3a];

/** Whether a document is one list that is better read element by element; in UTF-8 only. */
export const isLongList = (source: RandomAccess): boolean => source.size > LIST && firstOf(source) === OPENS_LIST;
/** Whether a document that is too long to be read whole is an object, of which lists of rows may be most. */
export const isStreamedObject = (source: RandomAccess): boolean => firstOf(source) === OPENS_OBJECT;

const firstOf = (source: RandomAccess): number => {
  const start = head(source, 4096);
  const { name, mark } = encodingOf(start);
  return name === 'utf-8' ? (start.subarray(mark).find((byte) => byte > 0x20) ?? 0) : 0;
};

/** A document as it is read: what was found so far. */
type Reading = {
  readonly values: Values;
  readonly context: Context;
  readonly dataset: Dataset;
  rows: number;
  opaque: string;
  /** Every row is an object. */
  objects: boolean;
  /** Keys that stand twice in their object. */
  twice: { count: number; first: { readonly key: string; readonly offset: number } | undefined };
};

/**
 * Reads a list element by element, each like a line of JSON Lines; or an object whose lists of rows (`FIELDS`) are read so,
 * and what else it has as a document. No more is held than an element.
 */
export const inspectStreamed = (source: RandomAccess, context: Context): Inspection => {
  const dataset = createDataset(context);
  const reading: Reading = {
    values: createValues(source),
    context,
    dataset,
    rows: 0,
    opaque: '',
    objects: true,
    twice: { count: 0, first: undefined },
  };
  const list = reading.values.next() === OPENS_LIST;
  const closed = list ? readList(reading, undefined) : readObject(reading);
  if (reading.values.next() !== -1) {
    const where = { offset: reading.values.offset() };
    throw new WeighbridgeError('FORMAT_INVALID', 'JSON: something follows the document', where);
  }
  reportTwice(reading);
  const { remarks, flagged } = dataset.finish();
  reportAll(context, remarks, 0);
  const { rows, opaque, objects } = reading;
  return {
    format: 'json',
    content: 'inert',
    coverage: opaque === '' ? complete(source.size) : incomplete('partial', source.size, source.size, opaque),
    ...(list ? { rows: inStreamedList(flagged, source, closed, objects) } : {}),
    details: { rows },
  };
};

/** Reads the elements of the list that comes next, below `key`; answers with where its bracket closes it. */
const readList = (reading: Reading, key: string | undefined): number => {
  const { values, dataset, context } = reading;
  const quick = createQuickRows(dataset, key === undefined ? '' : `${key}[]`);
  values.pass(OPENS_LIST);
  for (let more = values.next() !== CLOSES_LIST; more; ) {
    const start = values.offset();
    const element = takeQuickly(quick, values, context.budget) ? undefined : readPart(reading, ELEMENT);
    more = values.next() === COMMA;
    if (more) {
      values.pass(COMMA);
      values.next();
    }
    reading.rows += 1;
    if (element === undefined) continue;
    quick.flush();
    checkElement(element, key, reading, { start, end: values.offset() });
  }
  quick.flush();
  const closed = values.offset();
  values.pass(CLOSES_LIST);
  return closed;
};

const takeQuickly = (quick: QuickRows, values: Values, budget: Budget): boolean => {
  const { bytes, at } = values.held();
  const end = quick.takeNext(bytes, at, values.offset() - at);
  if (end < 0) return false;
  budget.spend('steps', 1 + (end - at) / BYTES);
  values.behind(end);
  return true;
};

/** Parses the value that comes next. */
const readPart = ({ values, context, twice }: Reading, limit: number): Document => {
  const { bytes, start, end } = values.value(limit);
  const offset = values.offset() - (end - start);
  const text = decodeUtf8(bytes.subarray(start, end));
  context.budget.spend('steps', 1 + text.length / CHARACTERS);
  const part = parsePart(text, offset, 'an element');
  const [first] = part.duplicates;
  if (first !== undefined) twice.first ??= { key: first.key, offset: offset + utf8Length(text, first.at) };
  twice.count += part.duplicates.length;
  return part;
};

const checkElement = ({ value, duplicates }: Document, key: string | undefined, reading: Reading, span: Span): void => {
  const { dataset, context } = reading;
  const checked: Checked = { remarks: [], opaque: '' };
  if (key === undefined) checkModules([value], checked);
  // Below its key it stands as it does in the whole document.
  const found: JsonValue = key === undefined ? value : { at: 0, entries: new Map([[key, [value]]]) };
  checkRow(found, dataset, checked, context.budget, span.start);
  for (const duplicate of duplicates) checkOverwritten(duplicate, dataset, checked, context.budget, span.start);
  endRow(dataset, checked.remarks, span);
  reportAll(context, checked.remarks, span.start);
  reading.opaque ||= checked.opaque;
  reading.objects &&= isObject(value);
};

/** Reads an object: its lists of rows element by element, all else at once, where it counts as one more row. */
const readObject = (reading: Reading): number => {
  const { values, dataset, context, twice } = reading;
  const entries = new Map<string, JsonValue>();
  const checked: Checked = { remarks: [], opaque: '' };
  const at = values.offset();
  let left = ELEMENT;
  values.pass(OPENS_OBJECT);
  for (let more = values.next() !== CLOSES_OBJECT; more; ) {
    const named = values.offset();
    const { value: key } = readPart(reading, KEY);
    if (typeof key !== 'string')
      throw new WeighbridgeError('FORMAT_INVALID', 'JSON: expected a key', { offset: named });
    values.pass(COLON);
    const isRows = values.next() === OPENS_LIST && FIELDS.has(key);
    const start = values.offset();
    const part = isRows ? undefined : readPart(reading, left);
    if (part === undefined) readList(reading, key);
    else left -= values.offset() - start;
    for (const duplicate of part?.duplicates ?? []) checkOverwritten(duplicate, dataset, checked, context.budget, 0);
    const before = entries.get(key);
    if (before !== undefined) {
      twice.first ??= { key, offset: named };
      twice.count += 1;
      checkRow({ at: 0, entries: new Map([[key, before]]) }, dataset, checked, context.budget, 0);
    }
    entries.set(key, part?.value ?? []);
    more = values.next() === COMMA;
    if (more) values.pass(COMMA);
  }
  values.pass(CLOSES_OBJECT);
  checkRow({ at: 0, entries }, dataset, checked, context.budget, 0);
  endRow(dataset, checked.remarks, undefined);
  // What it has beside its rows is found in the document, not at a place of its own.
  for (const remark of checked.remarks) context.report({ ...remark, offset: at });
  reading.opaque ||= checked.opaque;
  return at;
};

const reportTwice = ({ twice: { count, first }, context }: Reading): void => {
  if (first === undefined) return;
  context.report({
    rule: 'json.duplicate-key',
    severity: 'low',
    message: `${count} keys occur twice in their object: readers disagree about which counts`,
    offset: first.offset,
    evidence: printable(first.key),
    refs: ['CWE-436'],
  });
};
