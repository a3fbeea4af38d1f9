import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { checkRange, type RandomAccess, section } from '../../bytes/random-access.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { createCellReader } from '../arrow/cell-reader.ts';
import { isPickle } from '../arrow/cell-text.ts';
import { unpickles } from '../arrow/extension.ts';
import { type DatasetRows, IN_COLUMNS, notDroppable } from '../dataset-rows.ts';
import { type Context, printable } from '../format.ts';
import { all, look, one, openWire, text, type Wire } from '../protobuf/walk.ts';
import { numbersOf } from '../protobuf/wire.ts';
import { readArray } from './arrays.ts';
import { countOf, kindOf, layoutOf } from './layout.ts';
import { LANCE } from './messages.ts';
import { invalid } from './packing.ts';
import { type Buffers, readTexts } from './texts.ts';

/** Bytes of the ending of a data file. */
const LONG = 40;
/** Bytes of one description: schemas and lists of files. */
const DESCRIPTION = 64 * MIB;
/** Columns and buffers of a file, pages of a column. */
const PARTS = 1_000_000;
/** Fields inside each other whose names are put together. */
const NESTED = 32;
/** Bytes of the boundary that writers put parts on. */
const ALIGNMENT = 64;

export type Version = { readonly major: number; readonly minor: number };
/** What is known of a data file: the types of its columns, why cells were not read, what was said of those that were. */
export type Data = { readonly types: readonly string[]; readonly unread: string; readonly rows?: DatasetRows };

export const described = (source: RandomAccess, start: number, length: number, context: Context): Wire => {
  checkRange(source.size, start, length);
  const bytes = source.read(start, within('Lance description bytes', length, DESCRIPTION));
  unpickles(bytes, start, context);
  return openWire(section(source, start, start + length), LANCE, context, 'lance');
};
export const whole = (wire: Wire) => ({ start: 0, end: wire.source.size });

/** Places and lengths, eight bytes each, of the parts of a file. */
const readPlaces = (cursor: Cursor, count: number): (readonly [start: number, length: number])[] =>
  Array.from({ length: within('Lance parts', count, PARTS) }, () => {
    const [start, length] = [cursor.u64(), cursor.u64()];
    checkRange(cursor.source.size, start, length);
    return [start, length] as const;
  });

/** Reads a data file of version 2 (protos/file2.proto). Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED. */
export const readData = (source: RandomAccess, version: Version, context: Context): Data => {
  if (source.size < LONG) invalid('no ending', 0);
  const cursor = createCursor(source, source.size - LONG);
  cursor.skip(8);
  const [columnsAt, buffersAt] = [cursor.u64(), cursor.u64()];
  const [buffers, columns] = [cursor.u32(), cursor.u32()];
  if (16 * buffers > source.size || 16 * columns > source.size) invalid('more parts than bytes', columnsAt);
  context.budget.spend('steps', buffers + columns);
  cursor.position = buffersAt;
  const rest = readPlaces(cursor, buffers);
  const [schema] = rest;
  if (cursor.position !== source.size - LONG) invalid('bytes before the ending', cursor.position);
  if (schema === undefined) return invalid('no schema', buffersAt);
  cursor.position = columnsAt;
  const read = readPlaces(cursor, columns).map(([start, length]) => columnOf(source, start, length, context));
  let named = LONG + 16 * (buffers + columns);
  let parts = buffers + columns;
  for (const { wire, bytes, pages } of read) {
    named += wire.source.size + bytes;
    parts += pages.reduce((sum, page) => sum + page.buffers.length, 0);
  }
  for (const [, length] of rest) named += length;
  // Each part begins on a multiple of the alignment; bytes beyond that belong to nothing.
  if (source.size > named + ALIGNMENT * parts) invalid('bytes that no column names', 0);
  const fields = fieldsOf(described(source, schema[0], schema[1], context));
  const types = fields.map(({ type }) => type);
  return { types, ...readCells(source, version, fields, read, context) };
};

type LanceField = { readonly name: string; readonly type: string; readonly id: number; readonly parent: number };

const fieldsOf = (wire: Wire): LanceField[] =>
  all(look(wire, 'FileDescriptor', whole(wire)), 'schema')
    .flatMap((schema) => all(look(wire, 'Schema', schema), 'fields'))
    .map((range) => {
      const own = look(wire, 'Field', range);
      const number = (name: string): number => Number(one(own, name)?.value ?? 0);
      return {
        name: text(wire, own, 'name'),
        type: text(wire, own, 'logical_type'),
        id: number('id'),
        parent: number('parent_id'),
      };
    });

type Page = { readonly buffers: Buffers; readonly fields: ReturnType<typeof look> };
type Column = { readonly wire: Wire; readonly pages: readonly Page[]; readonly bytes: number };

const columnOf = (source: RandomAccess, start: number, length: number, context: Context): Column => {
  const wire = described(source, start, length, context);
  const buffersOf = (fields: ReturnType<typeof look>): Buffers => {
    const numbers = (name: string): number[] =>
      all(fields, name).flatMap((field) => numbersOf(wire.bytes, field, PARTS).map(Number));
    const [offsets, sizes] = [numbers('buffer_offsets'), numbers('buffer_sizes')];
    if (offsets.length !== sizes.length) invalid('not as many places as sizes', start);
    context.budget.spend('steps', offsets.length);
    return offsets.map((offset, index) => {
      checkRange(source.size, offset, sizes[index] ?? 0);
      return { start: offset, length: sizes[index] ?? 0 };
    });
  };
  const column = look(wire, 'ColumnMetadata', whole(wire));
  const own = { buffers: buffersOf(column), fields: column };
  const pages = all(column, 'pages').map((range) => {
    const fields = look(wire, 'Page', range);
    return { buffers: buffersOf(fields), fields };
  });
  const bytes = [own, ...pages].flatMap(({ buffers }) => buffers).reduce((sum, buffer) => sum + buffer.length, 0);
  return { wire, pages: [own, ...pages], bytes };
};

/** Names of the columns: of every field in version 2.0, later of those without fields below them; numbers if they do not fit. */
const namesOf = (fields: readonly LanceField[], columns: number, { major }: Version): string[] => {
  const byId = new Map(fields.map((field) => [field.id, field]));
  const parents = new Set(fields.map(({ parent }) => parent));
  const own = major === 0 ? fields : fields.filter(({ id }) => !parents.has(id));
  if (own.length !== columns) return Array.from({ length: columns }, (_, index) => `column ${index}`);
  return own.map((field) => {
    const path = [field.name];
    for (let at = byId.get(field.parent); at !== undefined && path.length < NESTED; at = byId.get(at.parent))
      path.unshift(at.name);
    return path.join('.');
  });
};

const readCells = (
  source: RandomAccess,
  version: Version,
  fields: readonly LanceField[],
  columns: readonly Column[],
  context: Context,
): { readonly unread: string; readonly rows?: DatasetRows } => {
  // Read by Range, a file is not read for its cells: the whole file is, before its last bytes leave.
  if (context.provisional) return { unread: '' };
  const dataset = createDataset(context);
  for (const { name } of fields) dataset.column(name);
  const cells = createCellReader(dataset);
  const names = namesOf(fields, columns.length, version);
  let [unread, rows, pickled] = ['', 0, false];
  for (const [index, { wire, pages }] of columns.entries()) {
    const name = names[index] ?? '';
    const reader = cells.column(name);
    for (const { buffers, fields: page } of pages.slice(1)) {
      const first = countOf(page, 'priority');
      rows = Math.max(rows, first + countOf(page, 'length'));
      const visit = (cell: Uint8Array, at: number, offset: number): void => {
        if (!isPickle(cell)) reader.cell(cell, 0, cell.length, first + at, offset, -1);
        else if (!pickled) pickled = saysPickled(name, offset, context);
      };
      unread ||= readPage(wire, page, buffers, { source, budget: context.budget, visit }, version);
    }
    unread ||= columnEncoding(wire, pages[0]);
  }
  cells.endGroup(rows);
  const credentials = cells.finish();
  const { remarks, flagged } = dataset.finish();
  reportAll(context, [...remarks, ...credentials], 0);
  return { unread, rows: notDroppable(flagged, IN_COLUMNS) };
};

/** The message that describes an encoding, where it stands within the description of its column. */
const encodingOf = (wire: Wire, fields: ReturnType<typeof look>) => {
  const place = one(fields, 'encoding');
  const direct = place === undefined ? undefined : one(look(wire, 'Place', place), 'direct');
  const bytes = direct === undefined ? undefined : one(look(wire, 'Direct', direct), 'encoding');
  if (bytes === undefined) return undefined;
  const any = look(wire, 'Any', bytes);
  const value = one(any, 'value');
  return { kind: kindOf(wire, any), range: value ?? { start: bytes.end, end: bytes.end } };
};

const readPage = (
  wire: Wire,
  page: ReturnType<typeof look>,
  buffers: Buffers,
  reading: Parameters<typeof readTexts>[2],
  { major, minor }: Version,
): string => {
  const encoding = encodingOf(wire, page);
  if (encoding?.kind === 'ArrayEncoding')
    return readArray({ wire, buffers, reading }, encoding.range, countOf(page, 'length'));
  if (encoding?.kind !== 'PageLayout') return 'an encoding that lies elsewhere';
  return readTexts(layoutOf(wire, encoding.range), buffers, reading, major > 2 || minor > 1);
};

/** Why values of a column lie outside of its pages; nothing when they do not. */
const columnEncoding = (wire: Wire, column: Page | undefined): string => {
  const encoding = column === undefined ? undefined : encodingOf(wire, column.fields);
  if (encoding?.kind !== 'ColumnEncoding') return 'a column with an encoding that is not known';
  const own = look(wire, 'ColumnEncoding', encoding.range);
  return one(own, 'values') === undefined ? 'values that lie outside of the columns' : '';
};

const saysPickled = (name: string, offset: number, context: Context): true => {
  const message = `${printable(name, 60)} holds pickles: a reader that unpickles its cells runs what they say`;
  context.report({ rule: 'lance.pickled-cells', severity: 'low', message, offset, refs: ['CWE-502'] });
  return true;
};
