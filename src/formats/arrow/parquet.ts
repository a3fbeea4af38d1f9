import { createCursor } from '../../bytes/cursor.ts';
import { createBudget, MIB, within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { obviousInjection } from '../../content/injection.ts';
import { checkMetadata } from '../../content/metadata.ts';
import { reportAll } from '../../content/remark.ts';
import { escapes } from '../../content/targets.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { type DatasetRows, type GatheredRows, notDroppable, rowsOf } from '../dataset-rows.ts';
import { type Context, complete, type Format, type Inspection, type Json, printable } from '../format.ts';
import { createCellReader } from './cell-reader.ts';
import { isPickle, latin } from './cell-text.ts';
import { visitCells } from './cells.ts';
import { fromBase64, unpickles } from './extension.ts';
import type { Chunk } from './pages.ts';
import { sizeWithout } from './rewrite/drop-rows.ts';
import { type Leaf, leavesOf } from './schema.ts';
import { bigOf, bytesOf, listOf, readStruct, structOf, type ThriftStruct } from './thrift.ts';

/** Bytes of the footer; wide tables with many row groups reach some tens of megabytes. */
const FOOTER = 128 * MIB;
/** `PAR1` at both ends and the footer's length. */
const MAGIC = [0x50, 0x41, 0x52, 0x31];
const TAIL = 8;
/** Field numbers of parquet.thrift. */
const FILE = { schema: 2, rows: 3, groups: 4, metadata: 5, createdBy: 6 };
const COLUMN = { path: 1, metadata: 3 };
const META = { type: 1, dataPage: 9, dictionaryPage: 11, compressed: 7, statistics: 12, codec: 4 };
/** The first byte of pickles (cell-text.ts). */
const PICKLE = 0x80;
/** Physical type of columns of text and bytes. */
const BYTE_ARRAY = 6n;

/** Apache Parquet: column chunks and a Thrift footer that says where they lie. Cells are data to every reader. */
export const parquet: Format = {
  name: 'parquet',
  title: 'Apache Parquet',
  begins: [0x50],
  recognisedBy: '`PAR1` at the start',
  checks:
    '`PAR1` at the end, footer length in bounds, Thrift metadata read whole, column chunks inside the file, no columns in other files, key-value metadata, pickled Arrow extension types, cells of byte arrays (plain, dictionary and delta encodings; Snappy, gzip, Zstandard, LZ4) against the rules for injected text, and those that are pickles',
  references: ['https://github.com/apache/parquet-format', 'CVE-2023-47248'],
  recognise: (head) => MAGIC.every((byte, index) => head[index] === byte),
  inspect(source, context): Inspection {
    const { footer, start } = readFooter(source, context);
    checkColumns(footer, start, context);
    const active = checkMetadataPairs(footer, start, context);
    const rows = context.provisional ? undefined : checkCells(source, footer, start, context);
    const details: { [key: string]: Json } = {
      rows: Number(bigOf(footer.get(FILE.rows))),
      columns: listOf(footer.get(FILE.schema)).length - 1,
      rowGroups: listOf(footer.get(FILE.groups)).length,
      createdBy: printable(latin(bytesOf(footer.get(FILE.createdBy))), 80),
    };
    return {
      format: 'parquet',
      content: active ? 'active' : 'inert',
      coverage: complete(source.size),
      ...(rows === undefined ? {} : { rows }),
      details,
    };
  },
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

const readFooter = (source: RandomAccess, context: Context): { footer: ThriftStruct; start: number } => {
  const end = createCursor(source, source.size - TAIL);
  const length = end.u32();
  if (MAGIC.some((byte) => end.u8() !== byte)) invalid('PAR1 is missing at the end', source.size - 4);
  within('Parquet footer bytes', length, FOOTER);
  const start = source.size - TAIL - length;
  if (start < MAGIC.length) invalid(`the footer's length of ${length} does not fit into the file`, source.size - TAIL);
  const cursor = createCursor(section(source, start, start + length));
  const footer = readStruct(cursor, () => context.budget.spend('steps', 1));
  if (cursor.remaining() !== 0) invalid('something stands behind the footer', start + cursor.position);
  return { footer, start };
};

/** Every column chunk lies between the magic and the footer, in this file. */
const checkColumns = (footer: ThriftStruct, end: number, context: Context): void => {
  for (const group of listOf(footer.get(FILE.groups))) {
    for (const item of listOf(structOf(group).get(1))) {
      const column = structOf(item);
      const path = latin(bytesOf(column.get(COLUMN.path)));
      if (path !== '') {
        const severity = escapes(path) ? 'high' : 'low';
        const message = 'a column lies in another file';
        context.report({
          rule: 'parquet.external-column',
          severity,
          message,
          offset: end,
          evidence: printable(path),
          refs: ['CWE-22'],
        });
        continue;
      }
      const meta = structOf(column.get(COLUMN.metadata));
      const data = bigOf(meta.get(META.dataPage));
      const dictionary = bigOf(meta.get(META.dictionaryPage));
      const first = dictionary > 0n && dictionary < data ? dictionary : data;
      const size = bigOf(meta.get(META.compressed));
      if (first < 0n || size < 0n || first + size > BigInt(end)) invalid('a column lies outside the file', end);
      checkStatistics(meta, end, context);
    }
  }
};

const checkStatistics = (meta: ThriftStruct, offset: number, context: Context): void => {
  const statistics = structOf(meta.get(META.statistics));
  const pickled = [1, 2, 5, 6].map((field) => bytesOf(statistics.get(field))).find(isPickle);
  if (!pickled) return;
  const message = 'a column holds pickles: a reader that unpickles its cells runs what they say';
  context.report({ rule: 'parquet.pickled-cells', severity: 'low', message, offset, refs: ['CWE-502'] });
};

/** Cells of text, column by column: the rules for injected text. Read by Range, a file is not read for its cells. */
const checkCells = (source: RandomAccess, footer: ThriftStruct, end: number, context: Context): DatasetRows => {
  const leaves = leavesOf(listOf(footer.get(FILE.schema)).map(structOf));
  const dataset = createDataset(context);
  for (const leaf of leaves) dataset.column(leaf.name);
  const cells = createCellReader(dataset);
  let pickled = false;
  for (const group of listOf(footer.get(FILE.groups)).map(structOf)) {
    for (const [index, item] of listOf(group.get(1)).entries()) {
      const column = structOf(item);
      const leaf = leaves[index];
      const chunk =
        leaf === undefined || bytesOf(column.get(COLUMN.path)).length > 0 ? undefined : chunkOf(column, leaf, end);
      if (leaf === undefined || chunk === undefined) continue;
      const reader = cells.column(leaf.name);
      visitCells(source, chunk, context.budget, {
        dictionary: reader.dictionary,
        cell(bytes, start, end, row, offset, entry) {
          if (bytes[start] === PICKLE && isPickle(bytes.subarray(start, end)))
            pickled ||= saysPickled(pickled, leaf.name, offset, context);
          else reader.cell(bytes, start, end, row, offset, entry);
        },
      });
    }
    cells.endGroup(Number(bigOf(group.get(3))));
  }
  const credentials = cells.finish();
  const { remarks, flagged } = dataset.finish();
  reportAll(context, [...remarks, ...credentials], 0);
  return droppable(source, flagged, context);
};

/** The rows, with the size of the file without those that are flagged: it is written once to see that it can be. */
const droppable = (source: RandomAccess, flagged: GatheredRows, context: Context): DatasetRows => {
  const rows = rowsOf(flagged);
  if (rows.runs === undefined) return rows;
  try {
    return { ...rows, rewritten: sizeWithout(source, rows.runs, createBudget(context.budget.limits)) };
  } catch (error) {
    if (!isFault(error)) throw error;
    return notDroppable(flagged, `it cannot be written without its flagged rows: ${printable(error.message)}`);
  }
};

const chunkOf = (column: ThriftStruct, leaf: Leaf, end: number): Chunk | undefined => {
  const meta = structOf(column.get(COLUMN.metadata));
  if (bigOf(meta.get(META.type)) !== BYTE_ARRAY) return undefined;
  const data = bigOf(meta.get(META.dataPage));
  const dictionary = bigOf(meta.get(META.dictionaryPage));
  const start = Number(dictionary > 0n && dictionary < data ? dictionary : data);
  const last = Math.min(end, start + Number(bigOf(meta.get(META.compressed))));
  return { start, end: last, codec: Number(bigOf(meta.get(META.codec))), ...leaf };
};

const saysPickled = (said: boolean, name: string, offset: number, context: Context): boolean => {
  if (said) return true;
  const message = `${printable(name, 60)} holds pickles: a reader that unpickles its cells runs what they say`;
  context.report({ rule: 'parquet.pickled-cells', severity: 'low', message, offset, refs: ['CWE-502'] });
  return true;
};

const checkMetadataPairs = (footer: ThriftStruct, offset: number, context: Context): boolean => {
  let active = false;
  for (const pair of listOf(footer.get(FILE.metadata))) {
    const key = latin(bytesOf(structOf(pair).get(1)));
    const value = bytesOf(structOf(pair).get(2));
    const schema = key === 'ARROW:schema' ? fromBase64(latin(value)) : undefined;
    if (key === 'ARROW:schema' && schema === undefined) invalid('ARROW:schema is not base64', offset);
    active = unpickles(schema ?? value, offset, context) || active;
    if (schema) continue;
    const text = decodeUtf8(value, offset);
    reportAll(context, checkMetadata(key, text, context.budget), offset);
    const injection = obviousInjection(text);
    if (injection === undefined) continue;
    const message = `metadata ${printable(key, 40)} orders a language model to drop its instructions`;
    const refs = ['LLM01:2025', 'AML.T0051'];
    context.report({
      rule: 'text.injection',
      severity: 'medium',
      message,
      offset,
      evidence: printable(injection),
      refs,
    });
  }
  return active;
};
