import { createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { DatasetRows } from '../dataset-rows.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { unpickles } from './extension.ts';
import { createCells } from './ipc-cells.ts';

/** Bytes of one message's metadata: a schema with thousands of columns has some megabytes. */
const METADATA = 64 * MIB;
/** Messages of one file. */
const MESSAGES = 4_000_000;
const CONTINUATION = 0xffffffff;
/** `ARROW1` at both ends of the file form; padded to eight at the start, or to 64 by writers that align so. */
const MAGIC = [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31];
const HEADER = 8;
const ALIGNED = 64;

const isFile = (head: Uint8Array): boolean => MAGIC.every((byte, index) => head[index] === byte);
const isStream = (head: Uint8Array): boolean =>
  head.length >= 16 &&
  [0, 1, 2, 3].every((at) => head[at] === 0xff) &&
  head[6] === 0 &&
  head[7] === 0 &&
  (head[4] ?? 1) % 8 === 0;

/** Arrow IPC, in stream form (what `datasets` caches) and file form (Feather 2). Buffers are data to every reader. */
export const arrow: Format = {
  name: 'arrow',
  title: 'Apache Arrow IPC',
  recognisedBy: '`ARROW1`, or a continuation marker and a metadata length',
  checks:
    'every message and body in bounds, from the first to the end of the stream; the footer of the file form; pickled extension types; cells of text and bytes (lists, views, dictionaries; LZ4, Zstandard) against the rules for injected text',
  references: [
    'https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc',
    'CVE-2023-47248',
  ],
  recognise: (head) => isFile(head) || isStream(head),
  inspect(source, context): Inspection {
    const file = isFile(source.read(0, Math.min(MAGIC.length, source.size)));
    const stream = file ? fileBody(source, context) : { start: 0, end: source.size, active: false };
    const { messages, active, rows } = walk(source, stream.start, stream.end, context);
    const content = active || stream.active ? 'active' : 'inert';
    return { format: 'arrow', content, coverage: complete(source.size), rows, details: { messages } };
  },
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/** The file form: the stream stands between the magic and a footer, which repeats the schema. */
const fileBody = (source: RandomAccess, context: Context): { start: number; end: number; active: boolean } => {
  const end = createCursor(source, source.size - MAGIC.length - 4);
  const length = within('Arrow footer bytes', end.u32(), METADATA);
  if (MAGIC.some((byte) => end.u8() !== byte)) invalid('ARROW1 is missing at the end', source.size - MAGIC.length);
  const start = source.size - MAGIC.length - 4 - length;
  if (start < HEADER) invalid("the footer's length does not fit into the file", source.size - MAGIC.length - 4);
  return {
    start: firstMessage(source, start),
    end: start,
    active: unpickles(source.read(start, length), start, context),
  };
};

/** Where the first message of the file form begins, behind zeros only. */
const firstMessage = (source: RandomAccess, end: number): number => {
  const padding = end < ALIGNED ? [1] : source.read(HEADER, ALIGNED - HEADER);
  return padding.every((byte) => byte === 0) ? ALIGNED : HEADER;
};

const walk = (
  source: RandomAccess,
  start: number,
  end: number,
  context: Context,
): { messages: number; active: boolean; rows: DatasetRows } => {
  const cursor = createCursor(section(source, 0, end), start);
  const cells = createCells(source, context);
  let messages = 0;
  let active = false;
  while (cursor.remaining() > 0) {
    context.budget.spend('steps', 1);
    const at = cursor.position;
    if (cursor.u32() !== CONTINUATION) invalid('a message does not begin with the continuation marker', at);
    const length = within('Arrow metadata bytes', cursor.u32(), METADATA);
    if (length === 0) {
      if (cursor.remaining() > 0) invalid('something stands behind the end of the stream', cursor.position);
      break;
    }
    const position = cursor.position;
    const metadata = cursor.bytes(length);
    active = unpickles(metadata, position, context) || active;
    const body = bodyLength(metadata, position);
    if (body > cursor.remaining())
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'a body ends behind the file', { offset: at });
    cells.message(metadata, cursor.position);
    cursor.skip(body);
    messages = within('Arrow messages', messages + 1, MESSAGES);
  }
  return { messages, active, rows: cells.finish() };
};

/** `bodyLength` of the FlatBuffers table Message (Message.fbs): its fourth field, a 64-bit number. */
const bodyLength = (metadata: Uint8Array, offset: number): number => {
  const view = new DataView(metadata.buffer, metadata.byteOffset, metadata.length);
  const inside = (at: number, size: number): number =>
    at >= 0 && at + size <= metadata.length ? at : invalid('message metadata points outside itself', offset);
  const table = view.getUint32(inside(0, 4), true);
  const vtable = table - view.getInt32(inside(table, 4), true);
  const entries = view.getUint16(inside(vtable, 2), true);
  const slot = 4 + 3 * 2;
  if (slot + 2 > entries) return 0;
  const field = view.getUint16(inside(vtable + slot, 2), true);
  if (field === 0) return 0;
  const length = view.getBigInt64(inside(table + field, 8), true);
  if (length < 0n || length > BigInt(Number.MAX_SAFE_INTEGER)) invalid('a body length is out of bounds', offset);
  return Number(length);
};
