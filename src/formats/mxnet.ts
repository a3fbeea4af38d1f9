import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { within } from '../bytes/limits.ts';
import { decodeUtf8 } from '../bytes/utf8.ts';
import { WeighbridgeError } from '../errors.ts';
import { complete, type Format, type Inspection } from './format.ts';

/** Magic of one array: version 1, version 2 with storage types, version 3 with the shapes of numpy. */
const V1 = 0xf993fac8;
const V2 = 0xf993fac9;
const V3 = 0xf993faca;
/** Arrays of a model; the largest have some thousands. */
const ARRAYS = 1_000_000;
/** Dimensions of an array. */
const DIMENSIONS = 32;
/** Bytes of a parameter's name. */
const NAME = 4096;
/** Bytes of an element by type_flag (mshadow/base.h). */
const WIDTHS = [4, 8, 2, 1, 4, 1, 8, 1, 2, 2, 4, 8, 2];
/** Kinds of storage: dense, row sparse, compressed rows; and how many index arrays each has. */
const INDEXES = [0, 1, 2];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `MXNet: ${message}`, { offset });
};

/** MXNet parameters: a list of arrays and a list of names. */
export const mxnetParams: Format = {
  name: 'mxnet-params',
  title: 'MXNet parameters',
  begins: [0x12],
  recognisedBy: 'the list magic 0x112 as 64 bits, and 64 bits of zero',
  checks: 'every array in bounds with known storage and element type, as many names as arrays, nothing behind the last',
  references: ['https://github.com/apache/mxnet/blob/master/src/ndarray/ndarray.cc'],
  // kMXAPINDArrayListMagic (src/ndarray/ndarray.cc), then 64 reserved bits.
  recognise: (head) =>
    head.length >= 16 && head[0] === 0x12 && head[1] === 1 && head.subarray(2, 16).every((byte) => byte === 0),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, 16);
    const arrays = within('MXNet arrays', cursor.u64(), Math.min(ARRAYS, source.size));
    for (let index = 0; index < arrays; index++) {
      context.budget.spend('steps', 1);
      passArray(cursor);
    }
    const names = cursor.u64();
    if (names !== 0 && names !== arrays) invalid('not as many names as arrays', cursor.position - 8);
    for (let index = 0; index < names; index++) {
      context.budget.spend('steps', 1);
      const length = within('MXNet name bytes', cursor.u64(), NAME);
      decodeUtf8(cursor.bytes(length), cursor.position - length);
    }
    if (cursor.remaining() > 0) invalid('bytes follow the names', cursor.position);
    return { format: 'mxnet-params', content: 'inert', coverage: complete(source.size), details: { arrays } };
  },
};

const elements = (cursor: Cursor, first?: number): number => {
  const at = cursor.position;
  const dimensions = first ?? cursor.u32();
  if (dimensions > DIMENSIONS) invalid('too many dimensions', at);
  let count = 1n;
  for (let index = 0; index < dimensions; index++) {
    const size = cursor.i64();
    if (size < 0n) invalid('a negative dimension', at);
    count *= size;
  }
  // Even a bit an element could not be in the file.
  if (count > BigInt(cursor.source.size) * 8n) invalid('a shape beyond the file', at);
  return Number(count);
};

const width = (cursor: Cursor): number =>
  WIDTHS[cursor.u32()] ?? invalid('an element type that is not known', cursor.position - 4);

const passArray = (cursor: Cursor): void => {
  const at = cursor.position;
  const magic = cursor.u32();
  if (magic !== V1 && magic !== V2 && magic !== V3) invalid('an array of an unknown version', at);
  const storage = magic === V1 ? 0 : cursor.u32();
  const indexes = INDEXES[storage] ?? invalid('a storage that is not known', at);
  let stored = indexes > 0 ? elements(cursor) : -1;
  const dimensions = cursor.u32();
  if (dimensions === 0 && magic !== V3) return;
  if (dimensions === 0xffffffff) return;
  const count = elements(cursor, dimensions);
  if (stored < 0) stored = count;
  cursor.skip(8);
  let bytes = stored * width(cursor);
  for (let index = 0; index < indexes; index++) {
    const of = width(cursor);
    bytes += of * elements(cursor);
  }
  if (bytes > cursor.remaining())
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'MXNet: an array ends behind the file', { offset: at });
  cursor.skip(bytes);
};
