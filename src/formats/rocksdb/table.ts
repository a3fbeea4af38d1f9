import { createCursor } from '../../bytes/cursor.ts';
import { latin1 } from '../../bytes/latin1.ts';
import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { entriesOf, type Handle, handlesOf, readBlock, readHandle, TRAILER } from './block.ts';
import { type Footer, isRocksTable, readFooter } from './footer.ts';
import { createValues } from './values.ts';

/** Blocks of one file, and bytes of zeros between two that writers may put there to align them. */
const BLOCKS = 1_000_000;
const PADDING = 64 * 1024;
/** Bytes of a key behind what the client gave: a number of the change, and its kind. */
const SUFFIX = 8;
/** How the index is made: by hand of a second one, and with the first key of each block. */
const [TWO_LEVELS, FIRST_KEYS] = [2, 3];
/** Blocks beside data and index: filters are bits, the others keys or offsets. */
const OTHERS =
  /^(?:rocksdb\.(?:properties|stats|range_del2?|hashindex\.(?:prefixes|metadata)|index)|(?:full)?filter\.[\w.]+|partitionedfilter\.[\w.]+)$/;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `RocksDB: ${message}`, { offset });
};

/** Tables of RocksDB (`*.sst`), in which Qdrant and other stores keep payloads and vectors. */
export const rocksdbTable: Format = {
  name: 'rocksdb-table',
  title: 'RocksDB table (Qdrant)',
  recognisedBy: 'the magic number of tables made of blocks, at the end',
  checks:
    'footer, index and all other blocks, none twice and nothing between them; every checksum; every key and value: what a format recognises is inspected as a file, texts against the rules for data; bits of filters are not read',
  references: [
    'https://github.com/facebook/rocksdb/wiki/Rocksdb-BlockBasedTable-Format',
    'https://github.com/facebook/rocksdb/blob/main/table/format.cc',
    'CWE-502',
  ],
  recognise: (_head, source, provisional) => provisional !== true && isRocksTable(source),
  inspect(source, context): Inspection {
    const footer = readFooter(source);
    const blocks = blocksOf(source, footer, context);
    checkTiling(source, blocks.all, footer);
    const values = createValues(context);
    for (const handle of blocks.data)
      for (const { key, value } of entriesOf(readBlock(source, handle, footer, context.budget), context.budget)) {
        if (key.length < SUFFIX) invalid('a key without its kind', handle.offset);
        values.add(key.subarray(0, key.length - SUFFIX), value, handle.offset);
      }
    const { content, rows, count } = values.finish();
    return {
      format: 'rocksdb-table',
      content,
      coverage: complete(source.size),
      rows,
      details: { version: footer.version, blocks: blocks.data.length, entries: count },
    };
  },
};

type Blocks = { readonly all: readonly Handle[]; readonly data: readonly Handle[] };

/** Every block that the file names, and those of them that hold data. */
const blocksOf = (source: RandomAccess, footer: Footer, { budget }: Context): Blocks => {
  const read = (handle: Handle): Uint8Array => readBlock(source, handle, footer, budget);
  const named = new Map<string, Handle>();
  for (const { key, value } of entriesOf(read(footer.meta), budget)) {
    const name = latin1(key);
    if (!OTHERS.test(name) || named.has(name)) invalid('a block that is not known', footer.meta.offset);
    named.set(name, readHandle(createCursor(fromBytes(value))));
  }
  const index = footer.index ?? named.get('rocksdb.index') ?? invalid('no index', footer.meta.offset);
  const properties = named.get('rocksdb.properties');
  const form = formOf(properties === undefined ? undefined : read(properties), footer, budget);
  const all = [footer.meta, ...named.values()];
  if (footer.index !== undefined) all.push(index);
  let data = [...handlesOf(read(index), form, budget)];
  if (form.twoLevels) {
    all.push(...data);
    data = data.flatMap((part) => [...handlesOf(read(part), form, budget)]);
  }
  for (const [name, handle] of named)
    if (name.startsWith('partitionedfilter.')) {
      for (const part of handlesOf(read(handle), { ...form, firstKeys: false }, budget)) all.push(part);
    }
  within('RocksDB blocks', all.length + data.length, BLOCKS);
  return { all: [...all, ...data], data };
};

/** How the index is written, from the properties of the table. */
const formOf = (block: Uint8Array | undefined, { version }: Footer, budget: Context['budget']) => {
  const properties = new Map<string, Uint8Array>();
  if (block !== undefined) for (const { key, value } of entriesOf(block, budget)) properties.set(latin1(key), value);
  const kind = properties.get('rocksdb.block.based.table.index.type')?.[0] ?? 0;
  const deltas = version >= 4 && (properties.get('rocksdb.index.value.is.delta.encoded')?.[0] ?? 0) === 1;
  return { deltas, firstKeys: kind === FIRST_KEYS, twoLevels: kind === TWO_LEVELS };
};

/** Throws unless the blocks fill the file up to the footer, one after the other. */
const checkTiling = (source: RandomAccess, blocks: readonly Handle[], { start }: Footer): void => {
  let end = 0;
  for (const { offset, size } of [...blocks].sort((a, b) => a.offset - b.offset)) {
    if (offset < end) invalid('two blocks share bytes', offset);
    expectPadding(source, end, offset);
    end = offset + size + TRAILER;
  }
  if (end > start) invalid('a block ends behind the footer', end);
  expectPadding(source, end, start);
};

const expectPadding = (source: RandomAccess, start: number, end: number): void => {
  if (end === start) return;
  if (end - start > PADDING || source.read(start, end - start).some((byte) => byte !== 0))
    invalid('bytes that no block has', start);
};
