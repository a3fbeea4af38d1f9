import type { RandomAccess } from '../../bytes/random-access.ts';
import { section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import {
  type Content,
  type Context,
  complete,
  type Format,
  type Inspection,
  printable,
  worseContent,
} from '../format.ts';
import { type Packed, readPacked } from './read.ts';

/** Dimensions of an array; numpy has at most 64. */
const DIMENSIONS = 64;
/** Extension types of flax.serialization: array, complex number, scalar; and the timestamp of the specification. */
const ARRAY = 1;
const COMPLEX = 2;
const SCALAR = 3;
const TIMESTAMP = -1;

/** Element types by the names that flax writes, with the bytes of one element. */
const TYPES: ReadonlyMap<string, number> = new Map([
  ...(['bool', 'int8', 'uint8', 'int4', 'uint4'] as const).map((name) => [name, 1] as const),
  ...['float8_e4m3fn', 'float8_e5m2', 'float8_e4m3b11fnuz', 'float8_e4m3fnuz', 'float8_e5m2fnuz'].map(
    (name) => [name, 1] as const,
  ),
  ...['int16', 'uint16', 'float16', 'bfloat16', '|V2'].map((name) => [name, 2] as const),
  ...['int32', 'uint32', 'float32'].map((name) => [name, 4] as const),
  ...['int64', 'uint64', 'float64', 'complex64'].map((name) => [name, 8] as const),
  ['complex128', 16],
]);

type Walk = { readonly source: RandomAccess; readonly context: Context; arrays: number; content: Content };

/** Flax parameters: nested maps of arrays as MessagePack. */
export const flax: Format = {
  name: 'flax',
  title: 'Flax parameters (MessagePack)',
  begins: [0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0xde, 0xdf],
  recognisedBy: 'a MessagePack map whose first key is printable text',
  checks:
    'one value to the last byte, depth, counts against bytes, no key twice, only the extensions 1 to 3 of Flax with shape, type and size that agree, no pickled arrays of msgpack-numpy',
  references: ['https://github.com/msgpack/msgpack/blob/master/spec.md', 'flax.serialization', 'CWE-502'],
  recognise: (head) => beginsWithName(head),
  inspect(source, context): Inspection {
    const { value, end } = readPacked(source, context.budget);
    if (end !== source.size) throw new WeighbridgeError('FORMAT_INVALID', 'bytes follow the value', { offset: end });
    const walk: Walk = { source, context, arrays: 0, content: 'inert' };
    judge(value, walk);
    const { content, arrays } = walk;
    return { format: 'flax', content, coverage: complete(source.size), details: { arrays } };
  },
};

const beginsWithName = (head: Uint8Array): boolean => {
  const mark = head[0] ?? 0;
  const key = mark >= 0x81 && mark <= 0x8f ? 1 : mark === 0xde ? 3 : mark === 0xdf ? 5 : 0;
  if (key === 0) return false;
  const kind = head[key] ?? 0;
  const [length, from] =
    kind >= 0xa1 && kind <= 0xbf ? [kind & 31, key + 1] : kind === 0xd9 ? [head[key + 1] ?? 0, key + 2] : [0, 0];
  const name = head.subarray(from, from + length);
  return length > 0 && name.length === length && name.every((byte) => byte >= 0x20 && byte !== 0x7f);
};

const judge = (root: Packed, walk: Walk): void => {
  const waiting = [root];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (value.kind === 'list') waiting.push(...value.items.toReversed());
    else if (value.kind === 'map') {
      judgeKeys(value, walk);
      for (const pair of value.pairs.toReversed()) waiting.push(pair[1], pair[0]);
    } else if (value.kind === 'extension') judgeExtension(value, walk);
    else if (value.kind === 'bytes') judgeBytes(value, walk);
  }
};

const judgeKeys = ({ pairs, at }: Extract<Packed, { kind: 'map' }>, { context, ...walk }: Walk): void => {
  const seen = new Set<string>();
  for (const [key] of pairs) {
    const name = nameOf(key, walk.source);
    if (seen.has(name)) {
      const message = 'a key occurs twice in its map: readers disagree about which counts';
      context.report({
        rule: 'flax.duplicate-key',
        severity: 'medium',
        message,
        offset: key.at,
        evidence: printable(name),
        refs: ['CWE-436'],
      });
    }
    if (/^__(?!msgpack_)[a-z_]{1,60}__$/.test(name)) {
      const message = 'a key by which Python knows how to build an object: a reader that honours it runs code';
      const refs = ['CWE-502'];
      context.report({
        rule: 'flax.odd-key',
        severity: 'low',
        message,
        offset: key.at,
        evidence: printable(name),
        refs,
      });
    }
    seen.add(name);
  }
  const kind = pairs.find(([key]) => nameOf(key, walk.source) === 'kind')?.[1];
  if (seen.has('nd') && kind !== undefined && nameOf(kind, walk.source) === 'O') {
    const message = 'an array of objects: msgpack-numpy unpickles its bytes';
    context.report({ rule: 'flax.object-array', severity: 'high', message, offset: at, refs: ['CWE-502'] });
  }
};

/** Text and short byte strings are the same key to readers that decode; other keys by their place. */
const nameOf = (key: Packed, source: RandomAccess): string => {
  if (key.kind === 'text') return key.text;
  if (key.kind === 'integer') return `#${key.value}`;
  if (key.kind === 'bytes' && key.length <= 64) return String.fromCharCode(...source.read(key.start, key.length));
  return `@${key.at}`;
};

const judgeExtension = ({ type, start, length, at }: Extract<Packed, { kind: 'extension' }>, walk: Walk): void => {
  const { source, context } = walk;
  const inner = section(source, start, start + length);
  if (type === ARRAY || type === SCALAR) {
    walk.arrays += 1;
    checkArray(inner, context, at);
  } else if (type === COMPLEX) checkComplex(inner, context, at);
  else if (type !== TIMESTAMP || ![4, 8, 12].includes(length)) {
    const message = `extension ${type} is none that Flax writes: a reader with a handler for it constructs something`;
    context.report({ rule: 'flax.extension', severity: 'medium', message, offset: at, refs: ['CWE-502', 'AML.T0010'] });
    walk.content = worseContent(walk.content, 'unknown');
    walk.content = worseContent(walk.content, hidden(inner, context, `extension ${type}`));
  }
};

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Flax: ${message}`, { offset });
};

/** `[shape, name of the type, bytes]`, the size of which follows from the first two. */
const checkArray = (inner: RandomAccess, context: Context, at: number): void => {
  const { value, end } = readPacked(inner, context.budget);
  const [shape, type, data, ...more] = value.kind === 'list' ? value.items : [];
  if (end !== inner.size || more.length > 0) invalid('something follows an array', at);
  if (shape?.kind !== 'list' || type?.kind !== 'text' || data?.kind !== 'bytes')
    invalid('an array without shape, type and bytes', at);
  if (shape.items.length > DIMENSIONS) invalid('an array has too many dimensions', at);
  const width = TYPES.get(type.text) ?? invalid(`the type ${printable(type.text, 40)} is not known`, at);
  let bytes = BigInt(width);
  for (const size of shape.items) {
    if (size.kind !== 'integer' || size.value < 0) invalid('a dimension is no count', at);
    bytes *= BigInt(size.value);
  }
  if (bytes !== BigInt(data.length)) invalid('an array has another size than its shape says', at);
};

const checkComplex = (inner: RandomAccess, context: Context, at: number): void => {
  const { value, end } = readPacked(inner, context.budget);
  const parts = value.kind === 'list' ? value.items : [];
  const numbers = parts.every(({ kind }) => kind === 'float' || kind === 'integer');
  if (end !== inner.size || parts.length !== 2 || !numbers) invalid('a complex number has other than two parts', at);
};

/** Bytes outside of arrays are somebody's file when some format recognises them. */
const judgeBytes = ({ start, length }: Extract<Packed, { kind: 'bytes' }>, walk: Walk): void => {
  if (length < 2) return;
  const inner = section(walk.source, start, start + length);
  walk.content = worseContent(walk.content, hidden(inner, walk.context, 'bytes'));
};

const hidden = (inner: RandomAccess, context: Context, name: string): Content => {
  const found = context.nested(inner, name);
  return found.format === 'unknown' ? 'inert' : found.content;
};
