import { createCursor } from '../../../bytes/cursor.ts';
import { type Budget, MIB, within } from '../../../bytes/limits.ts';
import { type RandomAccess, section } from '../../../bytes/random-access.ts';
import { WeighbridgeError } from '../../../errors.ts';
import { CODECS } from '../pages.ts';
import { leavesOf } from '../schema.ts';
import { readStruct } from '../thrift.ts';
import { type Column, type Emit, rewriteChunk } from './chunk.ts';
import {
  changed,
  type Fields,
  fieldsOf,
  i32,
  i64,
  itemsOf,
  list,
  numberOf,
  readTree,
  struct,
  type Tree,
  TYPE,
  writeTree,
} from './thrift-tree.ts';
import { ENCODING } from './values.ts';

/** Bytes of a footer that is written anew; it is held as a tree. A footer of 20,000 column chunks fits. */
const FOOTER = 4 * MIB;
/** Rows of one group; writers make groups of a thousand to some millions. */
const ROWS = 64_000_000;
/** `PAR1` at both ends; behind the footer stands its length. */
const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31);
const TAIL = 8;
/** Field numbers of parquet.thrift. */
const FILE = { schema: 2, rows: 3, groups: 4, encryption: 8, signingKey: 9 };
const GROUP = { columns: 1, bytes: 2, rows: 3, start: 5, compressed: 6, ordinal: 7 };
const COLUMN = {
  path: 1,
  start: 2,
  metadata: 3,
  offsetIndex: 4,
  offsetIndexLength: 5,
  columnIndex: 6,
  columnIndexLength: 7,
  crypto: 8,
  encrypted: 9,
};
const META = {
  type: 1,
  encodings: 2,
  codec: 4,
  values: 5,
  uncompressed: 6,
  compressed: 7,
  dataPage: 9,
  indexPage: 10,
  dictionaryPage: 11,
  statistics: 12,
  encodingStatistics: 13,
  bloom: 14,
  bloomLength: 15,
  sizeStatistics: 16,
  geoStatistics: 17,
};
const ELEMENT = { type: 1, length: 2, children: 5 };

/** Rows that follow each other, by their numbers from 1, both inclusive. */
export type RowRange = { readonly first: number; readonly last: number };

const refuse = (message: string): never => {
  throw new WeighbridgeError('LIMIT_EXCEEDED', `Parquet: ${message}`);
};
const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`);
};

/**
 * Writes a Parquet file anew without some rows; `dropped` are in order and apart. Groups of rows that lose none are copied as
 * they are, and so are pages; schema, key-value metadata and order of columns stay. Statistics and dictionaries of
 * chunks that lose rows are made new or left out, page indexes and Bloom filters always: what was only in the rows is not
 * left anywhere. The same file and rows always give the same bytes. Throws FORMAT_INVALID, FORMAT_TRUNCATED, and
 * LIMIT_EXCEEDED for what is not written.
 * Specification: https://github.com/apache/parquet-format
 */
export const dropRows = (source: RandomAccess, dropped: readonly RowRange[], budget: Budget, emit: Emit): void => {
  const { fields: file, end } = readFooter(source, budget);
  const kinds = kindsOf(file);
  let at = 0;
  const counting: Emit = {
    copy(from, to) {
      at += to - from;
      emit.copy(from, to);
    },
    write(bytes) {
      at += bytes.length;
      emit.write(bytes);
    },
  };
  counting.write(MAGIC);
  const groups: Tree[] = [];
  let before = 0;
  let left = 0;
  for (const group of itemsOf(file.get(FILE.groups)).map(fieldsOf)) {
    const rows = within('rows of a group', numberOf(group.get(GROUP.rows)), ROWS);
    const marks = marksOf(dropped, before, rows);
    before += rows;
    const kept = marks === undefined ? rows : marks.reduce((sum, mark) => sum + 1 - mark, 0);
    if (kept === 0) continue;
    left += kept;
    const start = at;
    const columns = itemsOf(group.get(GROUP.columns)).map(fieldsOf);
    if (columns.length !== kinds.length) invalid('a group has other columns than the schema');
    const written = columns.map((column, index) => {
      const kind = kinds[index] ?? invalid('a column without a schema');
      return writeColumn({ source, end, budget, emit: counting, at: () => at }, column, kind, marks);
    });
    groups.push(struct(groupOf(group, written, kept, start, at - start, groups.length)));
  }
  if (before !== numberOf(file.get(FILE.rows))) invalid('its groups have other rows than the file');
  const footer = writeTree(changed(file, { [FILE.rows]: i64(left), [FILE.groups]: list(TYPE.struct, groups) }));
  counting.write(footer);
  const tail = new Uint8Array(TAIL);
  new DataView(tail.buffer).setUint32(0, footer.length, true);
  tail.set(MAGIC, 4);
  counting.write(tail);
};

const readFooter = (source: RandomAccess, budget: Budget): { fields: Fields; end: number } => {
  const length = createCursor(source, source.size - TAIL).u32();
  if (length > FOOTER) refuse(`a footer of more than ${FOOTER} bytes is not written`);
  const end = source.size - TAIL - length;
  const cursor = createCursor(section(source, end, end + length));
  const fields = readTree(cursor, () => budget.spend('steps', 1));
  if (fields.has(FILE.encryption) || fields.has(FILE.signingKey)) refuse('encrypted files are not written');
  return { fields, end };
};

type Leaf = Pick<Column, 'kind' | 'definition' | 'repetition'>;

/** The columns of the schema: what their values are and how deep they nest. */
const kindsOf = (file: Fields): Leaf[] => {
  const elements = itemsOf(file.get(FILE.schema)).map(fieldsOf);
  const plain = elements.map((element) => readStruct(createCursor(fromTree(element)), () => undefined));
  const leaves = leavesOf(plain);
  const own = elements.slice(1).filter((element) => numberOf(element.get(ELEMENT.children)) === 0);
  if (own.length !== leaves.length) invalid('the schema is no tree');
  return leaves.map(({ definition, repetition }, index) => {
    const element = own[index];
    const physical = numberOf(element?.get(ELEMENT.type));
    const width = numberOf(element?.get(ELEMENT.length));
    if (physical < 0 || physical > 7 || width < 0) refuse(`type ${physical} is not written`);
    return { definition, repetition, kind: { physical, width: within('bytes of a fixed array', width, MIB) } };
  });
};

const fromTree = (fields: Fields): RandomAccess => {
  const bytes = writeTree(fields);
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
};

/** One byte for each row of a group, 1 for those that go; undefined when none does. */
const marksOf = (dropped: readonly RowRange[], before: number, rows: number): Uint8Array | undefined => {
  const here = dropped.filter(({ first, last }) => last > before && first <= before + rows);
  if (here.length === 0) return undefined;
  const marks = new Uint8Array(rows);
  for (const { first, last } of here) marks.fill(1, Math.max(0, first - 1 - before), Math.min(rows, last - before));
  return marks;
};

type Writing = {
  readonly source: RandomAccess;
  /** Where the chunks end and the footer begins. */
  readonly end: number;
  readonly budget: Budget;
  readonly emit: Emit;
  /** Bytes written so far. */
  at(): number;
};

/** Copies or rewrites one column chunk, and gives what the footer says of it. */
const writeColumn = (
  { source, end, budget, emit, at }: Writing,
  column: Fields,
  leaf: Leaf,
  marks: Uint8Array | undefined,
): Fields => {
  if (column.has(COLUMN.path)) refuse('columns in other files are not written');
  if (column.has(COLUMN.crypto) || column.has(COLUMN.encrypted)) refuse('encrypted columns are not written');
  const meta = fieldsOf(column.get(COLUMN.metadata));
  const codec = numberOf(meta.get(META.codec));
  if (!CODECS.has(codec)) refuse(`compression ${codec} is not written`);
  if (numberOf(meta.get(META.type)) !== leaf.kind.physical) invalid('a column has another type than the schema');
  const data = numberOf(meta.get(META.dataPage));
  const dictionary = numberOf(meta.get(META.dictionaryPage));
  const start = dictionary > 0 && dictionary < data ? dictionary : data;
  const last = start + numberOf(meta.get(META.compressed));
  if (start < MAGIC.length || last < start || last > end) invalid('a column lies outside the file');
  const here = at();
  const always = { [META.indexPage]: undefined, [META.bloom]: undefined, [META.bloomLength]: undefined };
  if (marks === undefined) {
    emit.copy(start, last);
    const moved = {
      [META.dataPage]: i64(here + data - start),
      ...(dictionary > 0 ? { [META.dictionaryPage]: i64(here + dictionary - start) } : {}),
    };
    return columnOf(column, changed(meta, { ...always, ...moved }), here);
  }
  const done = rewriteChunk(source, { start, end: last, codec, ...leaf }, marks, budget, emit);
  return columnOf(
    column,
    changed(meta, {
      ...always,
      [META.encodings]: encodingsOf(meta.get(META.encodings)),
      [META.values]: i64(done.values),
      [META.uncompressed]: i64(done.uncompressed),
      [META.compressed]: i64(done.compressed),
      [META.dataPage]: i64(here + done.dictionary),
      [META.dictionaryPage]: done.dictionary > 0 ? i64(here) : undefined,
      [META.statistics]: undefined,
      [META.encodingStatistics]: undefined,
      [META.sizeStatistics]: undefined,
      [META.geoStatistics]: undefined,
    }),
    here,
  );
};

const columnOf = (column: Fields, meta: Fields, start: number): Fields =>
  changed(column, {
    [COLUMN.start]: i64(start),
    [COLUMN.metadata]: struct(meta),
    [COLUMN.offsetIndex]: undefined,
    [COLUMN.offsetIndexLength]: undefined,
    [COLUMN.columnIndex]: undefined,
    [COLUMN.columnIndexLength]: undefined,
  });

const encodingsOf = (before: Tree | undefined): Tree => {
  const numbers = new Set([...itemsOf(before).map(numberOf), ENCODING.plain, ENCODING.hybrid]);
  return list(TYPE.i32, [...numbers].sort((a, b) => a - b).map(i32));
};

const groupOf = (
  group: Fields,
  columns: readonly Fields[],
  rows: number,
  start: number,
  bytes: number,
  ordinal: number,
): Fields => {
  const uncompressed = columns.reduce(
    (sum, column) => sum + numberOf(fieldsOf(column.get(COLUMN.metadata)).get(META.uncompressed)),
    0,
  );
  return changed(group, {
    [GROUP.columns]: list(TYPE.struct, columns.map(struct)),
    [GROUP.bytes]: i64(uncompressed),
    [GROUP.rows]: i64(rows),
    [GROUP.start]: group.has(GROUP.start) ? i64(start) : undefined,
    [GROUP.compressed]: group.has(GROUP.compressed) ? i64(bytes) : undefined,
    [GROUP.ordinal]: group.has(GROUP.ordinal) ? { type: TYPE.i16, number: BigInt(ordinal) } : undefined,
  });
};

/** The bytes that such a file would have. Throws as `dropRows` does. */
export const sizeWithout = (source: RandomAccess, dropped: readonly RowRange[], budget: Budget): number => {
  let size = 0;
  dropRows(source, dropped, budget, {
    copy: (start, end) => {
      size += end - start;
    },
    write: ({ length }) => {
      size += length;
    },
  });
  return size;
};
