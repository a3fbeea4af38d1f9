import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { MIB, within } from '../bytes/limits.ts';
import { checkRange, type RandomAccess, section } from '../bytes/random-access.ts';
import { escapes } from '../content/targets.ts';
import { WeighbridgeError } from '../errors.ts';
import { unpickles } from './arrow/extension.ts';
import { type Context, complete, type Format, type Inspection, incomplete, printable } from './format.ts';
import { schemaOf } from './protobuf/schema.ts';
import { all, look, openWire, text, type Wire } from './protobuf/walk.ts';
import { byteAt, fieldsIn, numbersOf } from './protobuf/wire.ts';

/** Bytes of the two endings: of a table's description or an older data file, and of a data file since version 2. */
const SHORT = 16;
const LONG = 40;
/** Bytes of one description: schemas and lists of files. */
const DESCRIPTION = 64 * MIB;
/** Columns and buffers of a file, pages of a column. */
const PARTS = 1_000_000;
/** Bytes of the boundary that writers put parts on. */
const ALIGNMENT = 64;
/** Messages before the description of a table: its last transaction, its indexes. */
const BLOCKS = 8;

/** What is asked of the descriptions (protos/file.proto, file2.proto, table.proto); other fields say nothing to a loader. */
const LANCE = schemaOf({
  FileDescriptor: '1 schema Schema',
  Schema: '1* fields Field',
  Field: '2 name text, 5 logical_type text',
  ColumnMetadata: '2* pages Page, 3* buffer_offsets int, 4* buffer_sizes int',
  Page: '1* buffer_offsets int, 2* buffer_sizes int',
  Manifest: '1* fields Field, 2* fragments Fragment, 12 transaction_file text, 18* base_paths BasePath',
  Fragment: '2* files File',
  File: '1 path text',
  BasePath: '1 id int, 2 name text, 3 is_dataset_root int, 4 path text',
});
/** Types of columns whose cells hold no text and no file; containers, whose items are columns of their own. */
const NUMBERS =
  /^(?:null|bool|u?int(?:8|16|32|64)|halffloat|float|double|(?:decimal|date|time|timestamp|duration)[\w:/+.-]*(?:\(\w+\))?|fixed_size_list:(?:bool|u?int(?:8|16|32|64)|halffloat|bfloat16|lance\.bfloat16|float|double):\d+|struct|(?:large_)?list(?:\.struct)?)$/;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Lance: ${message}`, { offset });
};

type Ending = { readonly kind: 'data' | 'older'; readonly major: number; readonly minor: number };

/** The last eight bytes: two halves of a version, and the mark. */
const endingOf = (source: RandomAccess): Ending | undefined => {
  if (source.size < SHORT) return undefined;
  const bytes = source.read(source.size - 8, 8);
  if (String.fromCharCode(...bytes.subarray(4)) !== 'LANC') return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const [major, minor] = [view.getUint16(0, true), view.getUint16(2, true)];
  return { kind: (major === 0 && minor === 3) || major === 2 ? 'data' : 'older', major, minor };
};

/** Files of Lance tables (LanceDB): data, and the descriptions of a table's versions. */
export const lance: Format = {
  name: 'lance',
  title: 'Lance table (LanceDB)',
  recognisedBy: '`LANC` at the end',
  checks:
    'endings, descriptions, columns and pages inside the file; no pickled extension types of Arrow; files of a table lie in its folder; cells of text are not read, and the report says so',
  references: ['https://lancedb.github.io/lance/format.html', 'CVE-2023-47248', 'CWE-22'],
  recognise: (_head, source, provisional) => provisional !== true && endingOf(source) !== undefined,
  inspect(source, context): Inspection {
    const ending = endingOf(source) ?? invalid('no ending', 0);
    const types = ending.kind === 'data' ? readData(source, context) : readOlder(source, context);
    // A data file that does not say what its columns are leaves that to the table.
    const unnamed = ending.kind === 'data' && types?.length === 0;
    const unread = types === undefined || unnamed || types.some((type) => !NUMBERS.test(type));
    const reason = types === undefined ? 'a data file before version 2' : 'cells of text are not read';
    return {
      format: 'lance',
      content: 'inert',
      coverage: unread ? incomplete('partial', 0, source.size, reason) : complete(source.size),
      details: { version: `${ending.major}.${ending.minor}`, columns: types?.length ?? 0 },
    };
  },
};

const described = (source: RandomAccess, start: number, length: number, context: Context): Wire => {
  checkRange(source.size, start, length);
  const bytes = source.read(start, within('Lance description bytes', length, DESCRIPTION));
  unpickles(bytes, start, context);
  return openWire(section(source, start, start + length), LANCE, context, 'lance');
};
const whole = (wire: Wire) => ({ start: 0, end: wire.source.size });

/** Places and lengths, eight bytes each, of the parts of a file. */
const readPlaces = (cursor: Cursor, count: number): (readonly [start: number, length: number])[] =>
  Array.from({ length: within('Lance parts', count, PARTS) }, () => {
    const [start, length] = [cursor.u64(), cursor.u64()];
    checkRange(cursor.source.size, start, length);
    return [start, length] as const;
  });

const readData = (source: RandomAccess, context: Context): string[] => {
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
  cursor.position = columnsAt;
  let named = LONG + 16 * (buffers + columns);
  let parts = buffers + columns;
  for (const [start, length] of readPlaces(cursor, columns)) {
    const column = checkColumn(source, start, length, context);
    named += length + column.bytes;
    parts += column.parts;
  }
  for (const [, length] of rest) named += length;
  // Each part begins on a multiple of the alignment; bytes beyond that belong to nothing.
  if (source.size > named + ALIGNMENT * parts) invalid('bytes that no column names', 0);
  if (schema === undefined) return invalid('no schema', buffersAt);
  const wire = described(source, schema[0], schema[1], context);
  return all(look(wire, 'FileDescriptor', whole(wire)), 'schema').flatMap((field) =>
    typesOf(wire, all(look(wire, 'Schema', field), 'fields')),
  );
};

const typesOf = (wire: Wire, fields: readonly { readonly start: number; readonly end: number }[]): string[] =>
  fields.map((field) => text(wire, look(wire, 'Field', field), 'logical_type'));

type Named = { readonly bytes: number; readonly parts: number };

const checkColumn = (source: RandomAccess, start: number, length: number, context: Context): Named => {
  let [bytes, parts] = [0, 0];
  const wire = described(source, start, length, context);
  const check = (fields: ReturnType<typeof look>): void => {
    const numbers = (name: string): number[] =>
      all(fields, name).flatMap((field) => numbersOf(wire.bytes, field, PARTS).map(Number));
    const [offsets, sizes] = [numbers('buffer_offsets'), numbers('buffer_sizes')];
    if (offsets.length !== sizes.length) invalid('not as many places as sizes', start);
    context.budget.spend('steps', offsets.length);
    for (const [index, offset] of offsets.entries()) checkRange(source.size, offset, sizes[index] ?? 0);
    bytes += sizes.reduce((sum, size) => sum + size, 0);
    parts += offsets.length;
  };
  const column = look(wire, 'ColumnMetadata', whole(wire));
  check(column);
  for (const page of all(column, 'pages')) check(look(wire, 'Page', page));
  return { bytes, parts };
};

/** What stands before it are messages of their own, each behind its length. */
const expectBlocks = (source: RandomAccess, end: number): void => {
  const cursor = createCursor(source);
  for (let [blocks, fields] = [0, 0]; cursor.position < end; blocks++) {
    const at = cursor.position;
    const length = cursor.u32();
    if (blocks > BLOCKS || length > end - cursor.position) invalid('bytes before the description', at);
    const part = section(source, at + 4, at + 4 + length);
    // Fields are read to the end of the message, or the reader throws.
    for (const _ of fieldsIn(byteAt(part), LANCE, 'Manifest', 0, length)) fields += 1;
    if (fields === 0 && length > 0) invalid('a part that is no message', at);
    cursor.skip(length);
  }
};

/** A description whose length stands before it: of a table, which names files, or of an older data file. */
const readOlder = (source: RandomAccess, context: Context): string[] | undefined => {
  const cursor = createCursor(source, source.size - SHORT);
  const start = cursor.u64();
  cursor.position = start;
  const length = cursor.u32();
  const wire = described(source, start + 4, length, context);
  const manifest = look(wire, 'Manifest', whole(wire));
  if (start + 4 + length !== source.size - SHORT || all(manifest, 'fields').length === 0) return undefined;
  expectBlocks(source, start);
  const say = (path: string): void => {
    if (!escapes(path) && !/^[a-z0-9+]{2,10}:/i.test(path)) return;
    const message = 'a table names a file outside of its folder';
    const refs = ['CWE-22'];
    context.report({ rule: 'lance.path', severity: 'medium', message, offset: start, evidence: printable(path), refs });
  };
  say(text(wire, manifest, 'transaction_file'));
  for (const base of all(manifest, 'base_paths')) say(text(wire, look(wire, 'BasePath', base), 'path'));
  for (const fragment of all(manifest, 'fragments')) {
    context.budget.spend('steps', 1);
    for (const file of all(look(wire, 'Fragment', fragment), 'files'))
      say(text(wire, look(wire, 'File', file), 'path'));
  }
  return [];
};
