import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { type Budget, exceeded, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import {
  type Content,
  type Context,
  complete,
  type Format,
  type Inspection,
  printable,
  worseContent,
} from './format.ts';

/** Values inside each other; networks nest some twenty deep. */
const DEPTH = 200;
/** Bytes of one text. */
const TEXT = 16 * 1024 * 1024;
/** Dimensions of a tensor. */
const DIMENSIONS = 64;

/** Types of torch7's File.lua. 6 to 8 are functions, saved as byte code. */
const NIL = 0;
const NUMBER = 1;
const STRING = 2;
const TABLE = 3;
const OBJECT = 4;
const BOOLEAN = 5;
const FUNCTIONS = [6, 7, 8];

/** Bytes of an element by the name of a storage. */
const STORAGES: ReadonlyMap<string, number> = new Map([
  ['Byte', 1],
  ['Char', 1],
  ['Short', 2],
  ['Half', 2],
  ['Int', 4],
  ['Float', 4],
  ['Long', 8],
  ['Double', 8],
]);
/** Packages whose classes keep their fields as a table and nothing else. */
const NETWORKS = /^(?:nn|cudnn|cunn|nngraph|inn|stn|dpnn|rnn)\.[A-Za-z0-9_]{1,80}$/;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Torch7: ${message}`, { offset });
};

const startsWith = (head: Uint8Array, ...bytes: number[]): boolean => bytes.every((byte, at) => head[at] === byte);

/** Torch7 files in their binary form: tables, tensors and networks of Lua. */
export const torch7: Format = {
  name: 'torch7',
  title: 'Torch7 object (binary)',
  recognisedBy:
    'a 32-bit 4, a 32-bit 1 and the text `V 1`, or a table (3) with the number 1 whose first key is a value',
  checks:
    'every value in bounds, every tensor inside its storage; tensors, tables and classes of networks are data; functions are byte code and refused',
  references: ['https://github.com/torch/torch7/blob/master/File.lua', 'CWE-502'],
  recognise: (head) =>
    startsWith(head, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0x56, 0x20, 0x31) ||
    (startsWith(head, 3, 0, 0, 0, 1, 0, 0, 0) &&
      (head[10] ?? 1) === 0 &&
      (head[11] ?? 1) === 0 &&
      isType(head.subarray(12, 16))),
  inspect(source, context): Inspection {
    const cursor = createCursor(source);
    const content = walk(cursor, context);
    if (cursor.remaining() > 0) invalid('bytes follow the value', cursor.position);
    return { format: 'torch7', content, coverage: complete(source.size) };
  },
};

/** A key of a table is a number or a text. */
const isType = ([a, ...rest]: Uint8Array): boolean =>
  (a === NUMBER || a === STRING) && rest.every((byte) => byte === 0);

const walk = (cursor: Cursor, context: Context): Content => {
  const { budget } = context;
  const seen = new Set<number>();
  /** Elements of storages by their number, and of the storage that was read or referred to last. */
  const storages = new Map<number, number>();
  let elements = 0;
  let content: Content = 'inert';
  const text = (): string => {
    const length = within('Torch7 text bytes', cursor.u32(), TEXT);
    const bytes = cursor.bytes(length);
    return length > 200 ? '' : String.fromCharCode(...bytes);
  };
  const tell = (rule: string, severity: 'medium' | 'high', message: string, offset: number, evidence = ''): void => {
    content = worseContent(content, severity === 'high' ? 'active' : 'unknown');
    context.report({
      rule: `torch7.${rule}`,
      severity,
      message,
      offset,
      evidence: printable(evidence),
      refs: ['CWE-502'],
    });
  };
  const object = (depth: number, at: number, index: number): void => {
    const first = text();
    const name = /^V [0-9]{1,4}$/.test(first) ? text() : first;
    const tensor = /^torch\.(?:Cuda)?([A-Z][a-z]{0,8})?Tensor$/.exec(name);
    const storage = /^torch\.(?:Cuda)?([A-Z][a-z]{0,8})?Storage$/.exec(name);
    if (tensor) {
      const last = lastElement(cursor, at);
      elements = 0;
      value(depth + 1);
      if (last > BigInt(elements)) invalid('a tensor lies outside of its storage', at);
    } else if (storage) {
      const width = STORAGES.get(storage[1] ?? 'Float') ?? invalid('a storage that is not known', at);
      elements = passStorage(cursor, width, at);
      storages.set(index, elements);
    } else {
      if (!NETWORKS.test(name)) tell('class-unknown', 'medium', 'an object of a class that is on no list', at, name);
      value(depth + 1);
    }
  };
  const value = (depth: number): void => {
    if (depth > DEPTH) exceeded('Torch7 depth', DEPTH);
    budget.spend('steps', 1);
    const at = cursor.position;
    const type = cursor.u32();
    if (type === NUMBER) cursor.bytes(8);
    else if (type === STRING) text();
    else if (type === BOOLEAN) cursor.bytes(4);
    else if (FUNCTIONS.includes(type)) {
      tell('function', 'high', 'a function of Lua: its byte code runs when the network is used', at);
      invalid('byte code is not read', at);
    } else if (type === TABLE || type === OBJECT) {
      const index = cursor.u32();
      elements = storages.get(index) ?? 0;
      if (seen.has(index)) return;
      seen.add(index);
      if (type === OBJECT) object(depth, at, index);
      else passTable(cursor, budget, at, () => value(depth + 1));
    } else if (type !== NIL) invalid(`type ${type} is not known`, at);
  };
  value(1);
  return content;
};

const passTable = (cursor: Cursor, budget: Budget, at: number, value: () => void): void => {
  const pairs = cursor.u32();
  if (pairs * 8 > cursor.remaining()) invalid('more pairs than bytes', at);
  budget.spend('steps', pairs);
  for (let left = pairs; left > 0; left--) {
    value();
    value();
  }
};

/** Reads sizes, strides and offset; the number of the last element that the tensor looks at, 0 when it has none. */
const lastElement = (cursor: Cursor, at: number): bigint => {
  const dimensions = within('Torch7 dimensions', cursor.u32(), DIMENSIONS);
  const sizes = Array.from({ length: dimensions }, () => cursor.i64());
  const strides = Array.from({ length: dimensions }, () => cursor.i64());
  // The offset counts from one.
  let last = cursor.i64();
  if (last < 0n || sizes.some((size) => size < 0n)) invalid('a negative size', at);
  if (dimensions === 0 || sizes.some((size) => size === 0n)) return 0n;
  for (const [index, size] of sizes.entries()) {
    const stride = strides[index] ?? 0n;
    if (stride < 0n) invalid('a negative stride', at);
    last += (size - 1n) * stride;
  }
  return last;
};

const passStorage = (cursor: Cursor, width: number, at: number): number => {
  const elements = cursor.u64();
  if (elements > cursor.remaining() / width)
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'Torch7: a storage ends behind the file', { offset: at });
  cursor.skip(elements * width);
  return elements;
};
