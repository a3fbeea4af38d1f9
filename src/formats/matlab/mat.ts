import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { adler32 } from '../archive/checksum.ts';
import { createSink } from '../archive/sink.ts';
import { inflate } from '../compressed/inflate.ts';
import { type Content, type Context, complete, type Format, type Inspection, worseContent } from '../format.ts';
import { walkMatrix } from './matrix.ts';
import { bigCursor } from './numbers.ts';

/** Bytes of the header: text, the offset of subsystem data, version and byte order. */
const HEADER = 128;
/** Variables of one file. */
const VARIABLES = 100_000;
/** Element types that may stand at the top. */
const MATRIX = 14;
const COMPRESSED = 15;

/** MATLAB files of version 5 to 7; 7.3 is HDF5. */
export const mat: Format = {
  name: 'mat',
  title: 'MATLAB file (version 5)',
  recognisedBy: 'text, then version 0x0100 and the byte order mark `IM` or `MI` at 124',
  checks:
    'every variable in bounds, decompressed and walked: numbers, text, cells, structures and sparse arrays are data; objects and function handles are refused',
  references: ['MAT-File Format (MathWorks, R2024b)', 'CWE-502'],
  recognise: (head) => orderOf(head) !== undefined,
  inspect(source, context): Inspection {
    const order = orderOf(source.read(0, HEADER)) ?? 'little';
    let content: Content = 'inert';
    let variables = 0;
    for (let at = HEADER; at < source.size; ) {
      context.budget.spend('steps', 1);
      variables = within('MATLAB variables', variables + 1, VARIABLES);
      const tag = cursorAt(source, at, order);
      const type = tag.u32();
      const length = tag.u32();
      if (length > source.size - at - 8)
        throw new WeighbridgeError('FORMAT_TRUNCATED', 'MATLAB: a variable ends behind the file', { offset: at });
      const body = section(source, at + 8, at + 8 + length);
      content = worseContent(content, inspectVariable(type, body, order, at, context));
      at += 8 + length;
    }
    return { format: 'mat', content, coverage: complete(source.size), details: { variables } };
  },
};

type Order = 'little' | 'big';

const orderOf = (head: Uint8Array): Order | undefined => {
  const [a, b, c, d] = head.subarray(124, 128);
  if (head.length < HEADER || head.subarray(0, 4).some((byte) => byte === 0)) return undefined;
  if (a === 0 && b === 1 && c === 0x49 && d === 0x4d) return 'little';
  return a === 1 && b === 0 && c === 0x4d && d === 0x49 ? 'big' : undefined;
};

const cursorAt = (source: RandomAccess, at: number, order: Order): Cursor =>
  order === 'little' ? createCursor(source, at) : bigCursor(source, at);

const inspectVariable = (type: number, body: RandomAccess, order: Order, at: number, context: Context): Content => {
  if (type === MATRIX) return walkMatrix(cursorAt(body, 0, order), body.size, at, context);
  if (type !== COMPRESSED)
    throw new WeighbridgeError('FORMAT_INVALID', `MATLAB: type ${type} is no variable`, { offset: at });
  const plain = inflated(body, at, context);
  const cursor = cursorAt(plain, 0, order);
  const inner = cursor.u32();
  const length = cursor.u32();
  if (inner !== MATRIX || length !== plain.size - 8)
    throw new WeighbridgeError('FORMAT_INVALID', 'MATLAB: a compressed variable is not one array', { offset: at });
  return walkMatrix(cursor, plain.size, at, context);
};

/** A zlib stream (RFC 1950) to its checksum and to the end of the element. */
const inflated = (body: RandomAccess, at: number, context: Context): RandomAccess => {
  const input = createByteReader(body);
  const method = input.next();
  const flags = input.next();
  if ((method & 15) !== 8 || (method * 256 + flags) % 31 !== 0 || (flags & 32) !== 0)
    throw new WeighbridgeError('FORMAT_INVALID', 'MATLAB: a variable is not compressed as it says', { offset: at });
  const sink = createSink(body.size, context.budget);
  inflate(input, sink);
  const plain = sink.finish();
  const [a = 0, b = 0, c = 0, d = 0] = input.bytes(4);
  if (((a << 24) | (b << 16) | (c << 8) | d) >>> 0 !== adler32(plain) || input.position !== body.size)
    throw new WeighbridgeError('FORMAT_INVALID', 'MATLAB: the checksum of a variable is wrong', { offset: at });
  return plain.length < 8 ? exceeded('MATLAB variable bytes', 8) : fromBytes(plain);
};
