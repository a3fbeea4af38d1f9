import { createCursor } from '../bytes/cursor.ts';
import { MIB } from '../bytes/limits.ts';
import type { RandomAccess } from '../bytes/random-access.ts';
import { decodeUtf8, utf8Length } from '../bytes/utf8.ts';
import { checkMetadata } from '../content/metadata.ts';
import { reportAll } from '../content/remark.ts';
import { WeighbridgeError } from '../errors.ts';
import { type Context, complete, type Format, type Inspection, type Json, printable } from './format.ts';
import { isList, isObject, type JsonObject, type JsonValue, parseJson } from './json/parse.ts';
import { describeStructure } from './weights/structure.ts';
import { examineValues } from './weights/values.ts';

/** Bytes of the header: what the reference implementation accepts (`MAX_HEADER_SIZE`, 100 MB). */
const HEADER = 100_000_000;
/** Nesting of the header's JSON: the reference implementation's reader (serde_json) stops at 128. */
const DEPTH = 128;
/** Bytes of BOOL tensors that are looked at. A wrong one is undefined behaviour for some readers. */
const BOOL_SAMPLE = 4 * MIB;
/** Bytes before the header: its length, 64-bit little endian. */
const PREFIX = 8;

/** Bits of one element, by dtype (safetensors 0.7, `Dtype`). */
const BITS: ReadonlyMap<string, number> = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['BOOL', 8],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['I64', 64],
  ['U64', 64],
  ['F64', 64],
  ['C64', 64],
]);

type Tensor = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly start: number;
  readonly end: number;
};
type Header = {
  readonly tensors: readonly Tensor[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly dataStart: number;
};

/**
 * Hugging Face safetensors: a length, a JSON header, tensors one behind the other. Read as strictly as the
 * specification allows, so that nothing but tensors can be in the file.
 */
export const safetensors: Format = {
  name: 'safetensors',
  title: 'safetensors',
  recognisedBy: 'a 64-bit header length below 2^48 followed by `{`, or by white space and `{`',
  checks:
    'header length, strict JSON without duplicate keys, dtype and shape against offsets, tensors contiguous from the header to the end of the file, string metadata, bytes of BOOL tensors; odd numbers in a sample of the tensors are told',
  references: ['https://github.com/huggingface/safetensors#format'],
  recognise(head) {
    if (head.length < PREFIX + 2 || head[6] !== 0 || head[7] !== 0) return false;
    let at = PREFIX;
    while (at < head.length && isSpace(head[at])) at += 1;
    return head[at] === 0x7b;
  },
  inspect(source, context): Inspection {
    const header = readHeader(source, context);
    checkLayout(header, source.size - header.dataStart);
    checkNames(header, context);
    for (const [key, value] of header.metadata) reportAll(context, checkMetadata(key, value, context.budget), PREFIX);
    if (!context.provisional) checkBooleans(source, header, context);
    const details = { ...describe(header), weights: weigh(source, header, context) };
    return { format: 'safetensors', content: 'inert', coverage: complete(source.size), details };
  },
};

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

const readHeader = (source: RandomAccess, context: Context): Header => {
  const cursor = createCursor(source);
  const length = cursor.u64();
  if (length > HEADER) {
    throw new WeighbridgeError('LIMIT_EXCEEDED', `header of ${length} bytes is over ${HEADER}`, { offset: 0 });
  }
  const text = decodeUtf8(cursor.bytes(length), PREFIX);
  if (!text.startsWith('{')) invalid('the header does not begin with {', PREFIX);
  context.budget.spend('steps', text.length);
  const { value, duplicates, end } = parseJson(text, { depth: DEPTH, python: false });
  const [duplicate] = duplicates;
  if (duplicate)
    invalid(`the header has the key ${printable(duplicate.key, 60)} twice`, PREFIX + utf8Length(text, duplicate.at));
  for (let at = end; at < text.length; at++) {
    if (text.charCodeAt(at) !== 0x20)
      invalid('the header is padded with something other than spaces', PREFIX + utf8Length(text, at));
  }
  if (!isObject(value)) return invalid('the header is not a JSON object', PREFIX);
  // Shapes and offsets are counts; the reference reader takes no 1.0, 1e0 or -0 for one.
  if (/[0-9][.eE]|-/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '')))
    invalid('the header has a number that is no count', PREFIX);
  const tensors = [...value.entries]
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readTensor(name, entry));
  return { tensors, metadata: readMetadata(value), dataStart: PREFIX + length };
};

const readMetadata = (header: JsonObject): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  const entry = header.entries.get('__metadata__');
  if (entry === undefined) return found;
  if (!isObject(entry)) return invalid('__metadata__ is not an object', PREFIX);
  for (const [key, value] of entry.entries) {
    if (typeof value !== 'string') return invalid(`metadata ${printable(key, 60)} is not a string`, PREFIX);
    found.set(key, value);
  }
  return found;
};

const readTensor = (name: string, entry: JsonValue): Tensor => {
  const label = `tensor ${printable(name, 80)}`;
  if (!isObject(entry)) return invalid(`${label} is not described by an object`, PREFIX);
  const at = PREFIX + entry.at;
  for (const key of entry.entries.keys()) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') invalid(`${label} has an unknown field`, at);
  }
  const dtype = entry.entries.get('dtype');
  const bits = typeof dtype === 'string' ? BITS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) return invalid(`${label} has an unknown dtype`, at);
  const shape = counts(entry.entries.get('shape'), `${label}: shape`, at);
  const [start, end, ...more] = counts(entry.entries.get('data_offsets'), `${label}: data_offsets`, at);
  if (start === undefined || end === undefined || more.length > 0)
    return invalid(`${label}: data_offsets are not two`, at);
  const elements = shape.reduce((product, dim) => product * BigInt(dim), 1n);
  if (BigInt(end) - BigInt(start) !== (elements * BigInt(bits)) / 8n || (elements * BigInt(bits)) % 8n !== 0n) {
    invalid(`${label}: its shape and dtype need another size than its offsets span`, at);
  }
  return { name, dtype, shape, elements: Number(elements), start, end };
};

/** Dimensions of one tensor: no framework goes beyond 64 (numpy's bound; torch's is the same). */
const RANK = 64;

const counts = (value: JsonValue | undefined, what: string, at: number): readonly number[] => {
  if (!isList(value) || value.length > RANK) return invalid(`${what} is not a list of counts`, at);
  return value.map((item) =>
    typeof item === 'number' && Number.isSafeInteger(item) && item >= 0
      ? item
      : invalid(`${what} is not a list of counts`, at),
  );
};

/** Tensors cover the data from its first to its last byte, each beginning where the one before ends. */
const checkLayout = ({ tensors, dataStart }: Header, size: number): void => {
  const ordered = [...tensors].sort((a, b) => a.start - b.start || a.end - b.end);
  let end = 0;
  for (const tensor of ordered) {
    const problem = tensor.start < end ? 'overlaps the one before' : 'leaves a gap before it';
    if (tensor.start !== end) invalid(`tensor ${printable(tensor.name, 80)} ${problem}`, dataStart + tensor.start);
    end = tensor.end;
  }
  if (end > size) {
    throw new WeighbridgeError('FORMAT_TRUNCATED', `tensors end at ${end} but the file has ${size} bytes of data`, {
      offset: dataStart + size,
    });
  }
  if (end < size) invalid(`${size - end} bytes stand behind the last tensor`, dataStart + end);
};

/** Converters and viewers turn tensor names into file names. */
const checkNames = ({ tensors }: Header, context: Context): void => {
  for (const { name } of tensors) {
    const path = name.startsWith('/') || /(?:^|[\\/])\.\.(?:[\\/]|$)/.test(name) || /^[A-Za-z]:[\\/]/.test(name);
    if (!path && !/[\0-\x1f\x7f]/.test(name)) continue;
    const message = path ? 'a tensor name is a path out of its folder' : 'a tensor name contains control characters';
    const evidence = printable(name);
    context.report({
      rule: 'safetensors.tensor-name',
      severity: 'low',
      message,
      offset: PREFIX,
      evidence,
      refs: ['CWE-22'],
    });
  }
};

const checkBooleans = (source: RandomAccess, { tensors, dataStart }: Header, context: Context): void => {
  let left = BOOL_SAMPLE;
  for (const { name, dtype, start, end } of tensors) {
    if (dtype !== 'BOOL') continue;
    const bytes = source.read(dataStart + start, Math.min(end - start, left));
    left -= bytes.length;
    const wrong = bytes.findIndex((byte) => byte > 1);
    if (wrong < 0) continue;
    const message = `BOOL tensor ${printable(name, 80)} holds a byte that is neither 0 nor 1`;
    const offset = dataStart + start + wrong;
    context.report({
      rule: 'safetensors.bool',
      severity: 'low',
      message,
      offset,
      evidence: String(bytes[wrong]),
      refs: ['CWE-20'],
    });
  }
};

/** Structure and sampled values, which say something of weights that are poisoned. */
const weigh = (source: RandomAccess, { tensors, metadata, dataStart }: Header, context: Context): Json => {
  const placed = tensors.map((tensor) => ({ ...tensor, start: dataStart + tensor.start, end: dataStart + tensor.end }));
  return { ...describeStructure(tensors, metadata), ...examineValues(source, placed, context) };
};

const describe = ({ tensors, metadata }: Header): { [key: string]: Json } => ({
  tensors: tensors.length,
  parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
  dtypes: [...new Set(tensors.map(({ dtype }) => dtype))].sort(),
  ...(metadata.has('format') ? { writtenFor: printable(metadata.get('format') ?? '', 40) } : {}),
});
