import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { disguiseOf } from '../disguise.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { schemaOf } from '../protobuf/schema.ts';
import { all, coverageOf, look, openWire, walk } from '../protobuf/walk.ts';
import { numbersOf } from '../protobuf/wire.ts';

/** What describes one tensor (paddle/fluid/framework/framework.proto, VarType.TensorDesc). */
const TENSOR = schemaOf({ TensorDesc: '1 data_type int, 2* dims int' });
/** Bytes of an element by data type. */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 2],
  [2, 4],
  [3, 8],
  [4, 2],
  [5, 4],
  [6, 8],
  [20, 1],
  [21, 1],
  [22, 2],
  [23, 8],
  [24, 16],
  [32, 1],
  [33, 1],
]);
/** Bytes of a description: a type and some dimensions. */
const DESCRIPTION = 256;
const DIMENSIONS = 64;
const TENSORS = 1_000_000;
/** Levels of sequences, each with its offsets. */
const LEVELS = 16;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `PaddlePaddle: ${message}`, { offset });
};

/** PaddlePaddle weights: tensors one after the other, in the order of their names in the program. */
export const paddleParams: Format = {
  name: 'paddle-params',
  title: 'PaddlePaddle parameters',
  begins: [0x00],
  recognisedBy: 'version 0, no sequences, version 0 and the description of a tensor',
  checks:
    'every tensor to the last byte of the file: versions, offsets of sequences, a known type, as many bytes as its dimensions need',
  references: ['paddle/fluid/framework/lod_tensor.cc', 'paddle/phi/core/framework/dense_tensor_tostream.cc'],
  // Version (4), levels (8), version (4), bytes of the description (4), then its field 1.
  recognise: (head) =>
    head.length > 22 &&
    head.subarray(0, 16).every((byte) => byte === 0) &&
    (head[16] ?? 0) >= 2 &&
    head.subarray(17, 20).every((byte) => byte === 0) &&
    head[20] === 0x08 &&
    WIDTHS.has(head[21] ?? 255),
  inspect(source, context): Inspection {
    const cursor = createCursor(source);
    let tensors = 0;
    while (cursor.remaining() > 0) {
      context.budget.spend('steps', 1);
      within('PaddlePaddle tensors', ++tensors, TENSORS);
      passLevels(cursor);
      const described = readDescription(cursor);
      passData(cursor, bytesOf(section(source, described.start, described.end), context, described.start), context);
    }
    return { format: 'paddle-params', content: 'inert', coverage: complete(source.size), details: { tensors } };
  },
};

const passLevels = (cursor: Cursor): void => {
  const at = cursor.position;
  if (cursor.u32() !== 0) invalid('a version that is not known', at);
  const levels = within('PaddlePaddle levels', cursor.u64(), LEVELS);
  for (let level = 0; level < levels; level++) {
    const bytes = cursor.u64();
    if (bytes % 8 !== 0 || bytes > cursor.remaining()) invalid('offsets of sequences that are none', at);
    cursor.skip(bytes);
  }
};

/** Bytes of a tensor by its description. */
const bytesOf = (description: RandomAccess, context: Context, at: number): bigint => {
  const wire = openWire(description, TENSOR, context, 'paddle-params');
  const fields = look(wire, 'TensorDesc', { start: 0, end: description.size });
  const known = [...fields.values()].reduce((count, same) => count + same.length, 0);
  const numbers = (name: string): (number | bigint)[] =>
    all(fields, name).flatMap((field) => numbersOf(wire.bytes, field, DIMENSIONS));
  const [type, ...more] = numbers('data_type');
  const width = WIDTHS.get(Number(type));
  if (width === undefined || more.length > 0) return invalid('a type of numbers that is not known', at);
  walk(wire, 'TensorDesc', { start: 0, end: description.size }, {});
  if (known === 0 || coverageOf(wire).state !== 'complete') invalid('a description with other fields', at);
  const dimensions = numbers('dims');
  if (dimensions.length > DIMENSIONS || dimensions.some((size) => size < 0)) invalid('a shape that is none', at);
  return dimensions.reduce((product: bigint, size) => product * BigInt(size), BigInt(width));
};

const readDescription = (cursor: Cursor): { readonly start: number; readonly end: number } => {
  const at = cursor.position;
  if (cursor.u32() !== 0) invalid('a version that is not known', at);
  const length = within('PaddlePaddle description bytes', cursor.u32(), DESCRIPTION);
  const start = cursor.position;
  if (length > cursor.remaining()) invalid('a description beyond the file', at);
  cursor.skip(length);
  return { start, end: start + length };
};

const passData = (cursor: Cursor, bytes: bigint, context: Context): void => {
  const start = cursor.position;
  if (bytes > BigInt(cursor.remaining()))
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'PaddlePaddle: a tensor ends behind the file', { offset: start });
  cursor.skip(Number(bytes));
  const disguise = disguiseOf(section(cursor.source, start, cursor.position));
  if (disguise === undefined) return;
  const message = `the bytes of a tensor are ${disguise}`;
  context.report({ rule: 'paddle-params.tensor-content', severity: 'low', message, offset: start, refs: ['CWE-506'] });
};
