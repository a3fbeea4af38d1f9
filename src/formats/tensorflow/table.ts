import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { latin1 } from '../../bytes/latin1.ts';
import { within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Context } from '../format.ts';

/** Footer: two handles, padding, and the magic number in its last eight bytes. */
const FOOTER = 48;
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Behind each block: how it is compressed, and a checksum. */
const TRAILER = 5;
/** Entries of one table and bytes of one key: names of variables. */
const ENTRIES = 4_000_000;
const KEY = 64 * 1024;

/** One entry: its key, and where its value stands in the file. */
export type Entry = { readonly key: string; readonly start: number; readonly end: number };
type Handle = { readonly offset: number; readonly size: number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/** True for a table of LevelDB (doc/table_format.md), which TensorFlow uses for the index of a checkpoint. */
export const isTable = (source: RandomAccess): boolean => {
  if (source.size < FOOTER) return false;
  const end = source.read(source.size - MAGIC.length, MAGIC.length);
  return MAGIC.every((byte, index) => end[index] === byte);
};

/** Every entry of the table, in order. Throws FORMAT_INVALID for compressed blocks and for bytes between the blocks. */
export const entriesOf = function* (source: RandomAccess, context: Context): Generator<Entry> {
  const footer = createCursor(section(source, source.size - FOOTER, source.size));
  const meta = handle(footer);
  const index = handle(footer);
  let end = 0;
  let count = 0;
  for (const block of blockEntries(source, index, context)) {
    const data = handle(createCursor(section(source, block.start, block.end)));
    if (data.offset !== end) invalid('bytes stand between two blocks', end);
    end = data.offset + data.size + TRAILER;
    for (const entry of blockEntries(source, data, context)) {
      count = within('entries of a table', count + 1, ENTRIES);
      yield entry;
    }
  }
  const others = [...blockEntries(source, meta, context)];
  if (others.length > 0 || meta.offset !== end || index.offset !== meta.offset + meta.size + TRAILER)
    invalid('the table holds more than its entries', end);
  if (index.offset + index.size + TRAILER !== source.size - FOOTER)
    invalid('bytes stand before the footer', index.offset);
};

const handle = (cursor: Cursor): Handle => ({ offset: varint(cursor), size: varint(cursor) });

const varint = (cursor: Cursor): number => {
  let value = 0;
  for (let index = 0; index < 7; index++) {
    const byte = cursor.u8();
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  return invalid('a number is too long', cursor.position);
};

const blockEntries = function* (source: RandomAccess, { offset, size }: Handle, context: Context): Generator<Entry> {
  const type = source.read(offset + size, 1)[0];
  if (type !== 0) invalid('a block is compressed', offset);
  const block = section(source, offset, offset + size);
  const restarts = createCursor(block, Math.max(0, size - 4)).u32();
  const end = size - 4 * (restarts + 1);
  if (end < 0) invalid('a block is shorter than its list of restarts', offset);
  const cursor = createCursor(block);
  let key = '';
  while (cursor.position < end) {
    context.budget.spend('steps', 1);
    const shared = varint(cursor);
    const rest = varint(cursor);
    const length = varint(cursor);
    if (shared > key.length) invalid('a key shares more than there is', offset + cursor.position);
    within('bytes of a key', shared + rest, KEY);
    key = key.slice(0, shared) + latin1(cursor.bytes(rest));
    const start = cursor.position;
    if (length > end - start) invalid('a value ends behind its block', offset + start);
    cursor.skip(length);
    yield { key, start: offset + start, end: offset + start + length };
  }
};
