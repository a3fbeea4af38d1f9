import { within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type FlatBuffer, scalar, stringOf, type Table, tableAt, tablesOf, u32 } from '../tflite/flatbuffer.ts';

/** Types of Schema.fbs, by their number in the union Type. */
export const TYPE = {
  nothing: 1,
  binary: 4,
  utf8: 5,
  list: 12,
  struct: 13,
  union: 14,
  fixedSizeList: 16,
  map: 17,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  runEndEncoded: 22,
  binaryView: 23,
  utf8View: 24,
  listView: 25,
  largeListView: 26,
};

/** A column of an Arrow schema, or a part of one. */
export type Field = {
  readonly name: string;
  readonly type: number;
  /** Of a union: that its values have offsets. */
  readonly dense: boolean;
  readonly dictionary: number | undefined;
  readonly children: readonly Field[];
};

/** Fields inside each other, and fields in all. */
const DEPTH = 64;
const FIELDS = 100_000;

/** Fields of the table Field. */
const FIELD = { name: 0, typeType: 2, type: 3, dictionary: 4, children: 5 };

/** The columns of the Schema table at `schema`. */
export const fieldsOf = (buffer: FlatBuffer, schema: Table): Field[] => {
  let count = 0;
  const read = (table: Table, parent: string, depth: number): Field => {
    count = within('Arrow fields', count + 1, FIELDS);
    within('Arrow fields inside each other', depth, DEPTH);
    const own = stringOf(buffer, table, FIELD.name);
    const name = ['item', 'element', 'list', 'entries'].includes(own)
      ? parent
      : parent === ''
        ? own
        : `${parent}.${own}`;
    const type = scalar(buffer, table, FIELD.typeType, 1);
    const inner = tableIn(buffer, table, FIELD.type);
    const encoding = tableIn(buffer, table, FIELD.dictionary);
    return {
      name,
      type,
      dense: type === TYPE.union && inner !== undefined && scalar(buffer, inner, 0, 2) === 1,
      dictionary: encoding && scalar(buffer, encoding, 0, 8),
      children: Array.from(tablesOf(buffer, table, FIELD.children), (child) => read(child, name, depth + 1)),
    };
  };
  return Array.from(tablesOf(buffer, schema, 1), (field) => read(field, '', 1));
};

/** The table that a field of `table` refers to, or undefined when it has none. */
export const tableIn = (buffer: FlatBuffer, table: Table, field: number): Table | undefined => {
  const slot = 4 + 2 * field;
  if (slot + 2 > table.vtableSize) return undefined;
  const offset = buffer.bytes(table.vtable + slot) + buffer.bytes(table.vtable + slot + 1) * 256;
  if (offset === 0) return undefined;
  if (offset < 4 || offset + 4 > table.size)
    throw new WeighbridgeError('FORMAT_INVALID', 'a field lies outside its table', { offset: table.at });
  const at = table.at + offset;
  return tableAt(buffer, at + u32(buffer, at));
};

/** Buffers that a type has before its children; views have more, which the batch counts. */
export const buffersOf = ({ type, dense, dictionary }: Field): number => {
  if (dictionary !== undefined) return 2;
  switch (type) {
    case TYPE.nothing:
    case TYPE.runEndEncoded:
      return 0;
    case TYPE.struct:
    case TYPE.fixedSizeList:
      return 1;
    case TYPE.union:
      return dense ? 2 : 1;
    case TYPE.binary:
    case TYPE.utf8:
    case TYPE.largeBinary:
    case TYPE.largeUtf8:
    case TYPE.listView:
    case TYPE.largeListView:
      return 3;
    default:
      return 2;
  }
};
