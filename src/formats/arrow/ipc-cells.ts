import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { type DatasetRows, IN_COLUMNS, notDroppable } from '../dataset-rows.ts';
import { type Context, printable } from '../format.ts';
import { openFlatBuffer, rootOf, scalar } from '../tflite/flatbuffer.ts';
import { cellsOfBatch } from './batch.ts';
import { createCellReader } from './cell-reader.ts';
import { isPickle } from './cell-text.ts';
import type { CellVisitor } from './cells.ts';
import { type Field, fieldsOf, tableIn } from './columns.ts';

/** Kinds of message (Message.fbs, MessageHeader). */
const SCHEMA = 1;
const DICTIONARY = 2;
const BATCH = 3;

/** Reads the cells of an Arrow stream, message by message, against the rules for injected text. */
export type Cells = {
  /** A message, given its metadata and where its body begins. */
  message(metadata: Uint8Array, body: number): void;
  finish(): DatasetRows;
};

/** Read by Range, a stream is not read for its cells: the whole file is, before its last bytes leave. */
export const createCells = (source: RandomAccess, context: Context): Cells => {
  const dataset = createDataset(context);
  const cells = createCellReader(dataset);
  const dictionaries = new Map<number, Field>();
  let fields: readonly Field[] = [];
  let pickled = false;

  const readers = new Map<string, CellVisitor>();
  const readerOf = (column: string): CellVisitor => {
    const reader = readers.get(column) ?? cells.column(column);
    readers.set(column, reader);
    return reader;
  };
  const learn = (field: Field): void => {
    if (field.dictionary !== undefined) dictionaries.set(field.dictionary, { ...field, dictionary: undefined });
    for (const child of field.children) learn(child);
  };
  const report = (column: string, offset: number): void => {
    if (pickled) return;
    pickled = true;
    const message = `${printable(column, 60)} holds pickles: a reader that unpickles its cells runs what they say`;
    context.report({ rule: 'arrow.pickled-cells', severity: 'low', message, offset, refs: ['CWE-502'] });
  };

  return {
    message(metadata, body) {
      if (context.provisional) return;
      const buffer = openFlatBuffer(fromBytes(metadata), context);
      const root = rootOf(buffer);
      const kind = scalar(buffer, root, 1, 1);
      const header = tableIn(buffer, root, 2);
      if (header === undefined) return;
      if (kind === SCHEMA) {
        fields = fieldsOf(buffer, header);
        for (const field of fields) {
          dataset.column(field.name);
          learn(field);
        }
      }
      if (kind !== BATCH && kind !== DICTIONARY) return;
      const batch = kind === BATCH ? header : tableIn(buffer, header, 1);
      const entries = dictionaries.get(scalar(buffer, header, 0, 8));
      const read = kind === BATCH ? fields : entries === undefined ? [] : [entries];
      if (batch === undefined) return;
      for (const { column, row, bytes, offset } of cellsOfBatch(buffer, batch, read, source, body)) {
        if (isPickle(bytes)) report(column, offset);
        else readerOf(column).cell(bytes, 0, bytes.length, row, offset, -1);
      }
      cells.endGroup(kind === BATCH ? scalar(buffer, batch, 0, 8) : 0);
    },
    finish() {
      const credentials = cells.finish();
      const { remarks, flagged } = dataset.finish();
      reportAll(context, [...remarks, ...credentials], 0);
      return notDroppable(flagged, IN_COLUMNS);
    },
  };
};
