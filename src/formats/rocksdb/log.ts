import { KIB, MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { crc32c } from '../archive/checksum.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { masked } from './block.ts';
import { changesOf, textsOfVersion } from './records.ts';
import { createValues } from './values.ts';

/** Bytes of a block; no part of a record goes beyond one. */
const BLOCK = 32 * KIB;
/** Bytes before a part: checksum, length and kind; and the number of the log where logs are used again. */
const [HEADER, REUSED] = [7, 11];
/** Bytes of one record put together. */
const RECORD = 64 * MIB;
/** Kinds of parts; those of logs that are used again are four more. */
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `RocksDB log: ${message}`, { offset });
};

type Part = { readonly kind: number; readonly content: Uint8Array; readonly length: number };

/** The part of a record at `at` of a block; undefined when it is none, or its checksum is wrong. */
const partAt = (block: Uint8Array, at: number): Part | undefined => {
  if (at + HEADER > block.length) return undefined;
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const type = view.getUint8(at + 6);
  if (type < FULL || type > 2 * LAST) return undefined;
  const start = at + (type > LAST ? REUSED : HEADER);
  const end = start + view.getUint16(at + 4, true);
  if (end > block.length || masked(crc32c(block.subarray(at + 6, end))) !== view.getUint32(at, true)) return undefined;
  return { kind: type > LAST ? type - LAST : type, content: block.subarray(start, end), length: end - at };
};

/** Logs of RocksDB and LevelDB: changes that are in no table yet (`*.log`), and which tables there are (`MANIFEST-*`). */
export const rocksdbLog: Format = {
  name: 'rocksdb-log',
  title: 'Log or manifest of RocksDB and LevelDB',
  recognisedBy: 'a first record whose CRC-32C is right',
  checks:
    'every record to the last byte with its checksum; each is a batch of changes, whose keys and values are judged as those of a table, or the description of a version',
  references: [
    'https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format',
    'https://github.com/facebook/rocksdb/blob/main/db/version_edit.h',
    'CWE-502',
  ],
  recognise: (_head, source) => {
    const part = partAt(source.read(0, Math.min(BLOCK, source.size)), 0);
    return part !== undefined && part.content.length > 0 && (part.kind === FULL || part.kind === FIRST);
  },
  inspect(source, context): Inspection {
    const values = createValues(context);
    let [records, versions] = [0, 0];
    for (const { record, offset } of recordsOf(source, context)) {
      records += 1;
      const changes = changesOf(record);
      if (changes !== undefined) {
        for (const { key, value } of changes) values.add(key, value, offset);
        continue;
      }
      const texts = textsOfVersion(record) ?? invalid('a record that is neither changes nor a version', offset);
      for (const text of texts) values.add(text, new Uint8Array(0), offset);
      versions += 1;
    }
    const { content, rows, count } = values.finish();
    return {
      format: 'rocksdb-log',
      content,
      coverage: complete(source.size),
      rows,
      details: { records, versions, entries: count },
    };
  },
};

/** The records put together. Throws FORMAT_INVALID where one is cut or damaged. */
const recordsOf = function* (source: RandomAccess, { budget }: Context) {
  let parts: Uint8Array[] = [];
  let [size, begun] = [0, 0];
  for (let start = 0; start < source.size; start += BLOCK) {
    const block = source.read(start, Math.min(BLOCK, source.size - start));
    let at = 0;
    while (at < block.length && !isRest(block, at)) {
      const part = partAt(block, at) ?? invalid('a record that is damaged or of a kind that is not known', start + at);
      budget.spend('steps', 1);
      const begins = part.kind === FULL || part.kind === FIRST;
      if (begins !== (parts.length === 0)) invalid('parts of a record in another order', start + at);
      if (begins) begun = start + at;
      parts.push(part.content);
      size = within('RocksDB record bytes', size + part.content.length, RECORD);
      at += part.length;
      if (part.kind === MIDDLE || part.kind === FIRST) continue;
      const record = joined(parts, size);
      [parts, size] = [[], 0];
      yield { record, offset: begun };
    }
  }
  if (parts.length > 0) invalid('a record without its end', begun);
};

/** What is left of a block is zero: too short for a record, or written ahead. */
const isRest = (block: Uint8Array, at: number): boolean =>
  block[at] === 0 && block.subarray(at).every((byte) => byte === 0);

const joined = (parts: readonly Uint8Array[], size: number): Uint8Array => {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const record = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    record.set(part, at);
    at += part.length;
  }
  return record;
};
