import { KIB, MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { crc32c } from '../archive/checksum.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { createValues } from './values.ts';

/** Bytes of the header, of the length before an entry, and of the checksum behind it. */
const [HEADER, LENGTH, SUM] = [8, 8, 4];
/** Entries end on a multiple of so many bytes, with their checksum. */
const ALIGNMENT = 8;
/** Bytes of one entry: a change of many points. */
const ENTRY = 64 * MIB;
/** Bytes of the room behind the last entry that are read at once. */
const BLOCK = 512 * KIB;
/** `wal`, and the version. */
const MAGIC = [0x77, 0x61, 0x6c, 0];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant log: ${message}`, { offset });
};

/** Bits in the other order, as the CRC register has them. */
const reversed = (value: number): number => {
  let out = 0;
  for (let bit = 0; bit < 32; bit++) out |= ((value >>> bit) & 1) << (31 - bit);
  return out;
};

/** Segments of the log of Qdrant (`wal/open-1`, `wal/closed-7`): changes in CBOR that it makes again when it starts. */
export const qdrantLog: Format = {
  name: 'qdrant-log',
  title: 'Log of Qdrant',
  begins: [0x77],
  recognisedBy: '`wal` and a version at the start',
  checks:
    'every entry with its checksum, which goes on from the one before; nothing but zeros behind the last; what a format recognises is inspected as a file, texts against the rules for data',
  references: ['https://github.com/qdrant/wal/blob/master/src/segment.rs', 'CWE-502'],
  recognise: (head, source) => source.size >= HEADER && MAGIC.every((byte, index) => head[index] === byte),
  inspect(source, context): Inspection {
    const values = createValues(context);
    const end = readEntries(source, context, (entry, offset) => values.add(new Uint8Array(0), entry, offset));
    for (let at = end; at < source.size; at += BLOCK) {
      const rest = source.read(at, Math.min(BLOCK, source.size - at));
      if (rest.some((byte) => byte !== 0)) invalid('bytes behind the last entry', at);
    }
    const { content, rows, count } = values.finish();
    return { format: 'qdrant-log', content, coverage: complete(source.size), rows, details: { entries: count } };
  },
};

/** Visits every entry; where the last one ends. Zeros are room that is not used yet. */
const readEntries = (
  source: RandomAccess,
  { budget }: Context,
  visit: (entry: Uint8Array, offset: number) => void,
): number => {
  const number = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = number(source.read(LENGTH - SUM, SUM)).getUint32(0, true);
  let at = HEADER;
  while (at + LENGTH + SUM <= source.size) {
    budget.spend('steps', 1);
    const declared = number(source.read(at, LENGTH)).getBigUint64(0, true);
    if (declared === 0n) return at;
    const length = within('bytes of an entry', Number(declared), ENTRY);
    const padded = LENGTH + Math.ceil((length + SUM) / ALIGNMENT) * ALIGNMENT - SUM;
    const entry = source.read(at, padded + SUM);
    sum = crc32c(entry.subarray(0, padded), reversed(sum));
    if (number(entry).getUint32(padded, true) !== sum) invalid('an entry whose checksum is wrong', at);
    visit(entry.subarray(LENGTH, LENGTH + length), at);
    at += padded + SUM;
  }
  return at;
};
