import { section } from '../../bytes/random-access.ts';
import type { Layouts } from '../companions.ts';
import { disguiseOf } from '../disguise.ts';
import { printable, type Severity } from '../format.ts';
import { all, type Fields, look, one, text, type Wire } from '../protobuf/walk.ts';
import { numbersOf } from '../protobuf/wire.ts';

/** Dimensions of one tensor: numpy stops at 64. */
const RANK = 64;
/** Bits of one element, by TensorProto.DataType; strings (8) have none. */
const BITS: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 8],
  [3, 8],
  [4, 16],
  [5, 16],
  [6, 32],
  [7, 64],
  [9, 8],
  [10, 16],
  [11, 64],
  [12, 32],
  [13, 64],
  [14, 64],
  [15, 128],
  [16, 16],
  [17, 8],
  [18, 8],
  [19, 8],
  [20, 8],
  [21, 4],
  [22, 4],
  [23, 4],
  [24, 8],
  [25, 2],
  [26, 2],
  [27, 6],
  [28, 6],
]);
const STRING = 8;
const EXTERNAL = 1;
/** Bytes of an element in the typed fields at least: a varint, a float, a double. */
const TYPED = [
  ['float_data', 4],
  ['int32_data', 1],
  ['int64_data', 1],
  ['uint64_data', 1],
  ['double_data', 8],
  ['string_data', 0],
] as const;

type Say = (rule: string, severity: Severity, message: string, evidence: string, refs: readonly string[]) => void;

/** Checks that a tensor has the bytes that its shape and type need, and that what lies outside the file lies beside it. */
export const checkTensor = (wire: Wire, fields: Fields, offset: number, layouts: Layouts): number => {
  const name = printable(text(wire, fields, 'name'), 80);
  const say: Say = (rule, severity, message, evidence, refs) =>
    wire.context.report({ rule: `onnx.${rule}`, severity, message, offset, evidence, refs });
  const elements = elementsOf(wire, fields, say, name);
  const type = Number(one(fields, 'data_type')?.value ?? 0);
  const bits = BITS.get(type);
  if (bits === undefined && type !== STRING)
    say('tensor-type', 'medium', 'a tensor has an unknown element type', name, []);
  const bytes = bits === undefined || elements === undefined ? undefined : (elements * BigInt(bits) + 7n) / 8n;
  const outside =
    all(fields, 'external_data').length > 0 || Number(one(fields, 'data_location')?.value ?? 0) === EXTERNAL;
  if (outside) checkExternal(wire, fields, bytes, say, layouts);
  else checkInside(wire, fields, bytes, elements, say, name);
  return elements === undefined || elements > BigInt(Number.MAX_SAFE_INTEGER) ? 0 : Number(elements);
};

const elementsOf = (wire: Wire, fields: Fields, say: Say, name: string): bigint | undefined => {
  let elements = 1n;
  let rank = 0;
  for (const field of all(fields, 'dims')) {
    for (const dim of numbersOf(wire.bytes, field, RANK)) {
      rank += 1;
      if (dim < 0 || rank > RANK) {
        say('tensor-shape', 'high', 'a tensor has a negative dimension, or too many', name, ['CWE-190', 'CWE-20']);
        return undefined;
      }
      elements *= BigInt(dim);
    }
  }
  return elements;
};

const checkInside = (
  wire: Wire,
  fields: Fields,
  bytes: bigint | undefined,
  elements: bigint | undefined,
  say: Say,
  name: string,
): void => {
  const raw = one(fields, 'raw_data');
  const wrong = (message: string): void => say('tensor-size', 'high', message, name, ['CWE-125', 'CWE-190']);
  const has = (start: number, end: number): bigint => BigInt(end - start);
  if (raw !== undefined) {
    if (bytes !== undefined && has(raw.start, raw.end) !== bytes)
      wrong('a tensor has another size than its shape and type need');
    const kind = raw.end === raw.start ? undefined : disguiseOf(section(wire.source, raw.start, raw.end));
    if (kind !== undefined)
      say('tensor-content', 'low', `the bytes of a tensor are ${kind}`, name, ['CWE-506', 'AML.T0010']);
    return;
  }
  if (elements === undefined) return;
  const present = TYPED.filter(([field]) => all(fields, field).length > 0);
  if (present.length === 0 && elements > 0n && one(fields, 'segment') === undefined)
    wrong('a tensor has a shape and no data');
  for (const [field, least] of present) {
    const values = all(fields, field);
    const found =
      least === 0 ? BigInt(values.length) : values.reduce((sum, { start, end }) => sum + has(start, end), 0n);
    // Narrow types stand in wider fields, complex ones as pairs: only too few bytes are certainly wrong.
    const packed = bytes !== undefined && bytes < elements ? bytes : elements;
    if (found < packed * BigInt(Math.max(1, least))) wrong('a tensor has fewer elements than its shape needs');
  }
};

/** Names of a file in the model's own folder, and nothing else. */
const BESIDE = /^(?:\.\/)?[^\\/:*?"<>|\0]+$/;
const INSIDE = /^(?:\.\/)?(?:[^\\/:*?"<>|\0]+\/)+[^\\/:*?"<>|\0]+$/;

/** Where a tensor's bytes are that are not in the file (onnx/docs/ExternalData.md). */
const checkExternal = (wire: Wire, fields: Fields, bytes: bigint | undefined, say: Say, layouts: Layouts): void => {
  const entries = new Map<string, string>();
  for (const field of all(fields, 'external_data')) {
    const entry = look(wire, 'StringStringEntryProto', field);
    const key = text(wire, entry, 'key');
    if (entries.has(key))
      say('external-twice', 'high', 'where external data are is said twice', printable(key), ['CWE-436']);
    entries.set(key, text(wire, entry, 'value'));
  }
  const refs = ['CVE-2022-25882', 'CVE-2024-27318', 'CVE-2025-51480', 'CWE-22'];
  const location = entries.get('location') ?? '';
  const evidence = printable(location);
  const escapes = location.split(/[\\/]/).includes('..');
  if (escapes || !(BESIDE.test(location) || INSIDE.test(location)))
    say('external-path', 'high', "external data lie outside the model's folder", evidence, refs);
  else if (!BESIDE.test(location))
    say('external-folder', 'medium', 'external data lie in another folder than the model', evidence, refs);
  if (all(fields, 'raw_data').length > 0)
    say('external-and-raw', 'medium', 'a tensor has data in the file and outside', evidence, ['CWE-436']);
  const length = countOf(entries.get('length'));
  if (length === undefined || countOf(entries.get('offset')) === undefined)
    say('external-range', 'high', 'offset or length of external data is no count', evidence, ['CWE-190']);
  else if (length > 0n && bytes !== undefined && length !== bytes)
    say('external-size', 'high', 'external data have another size than shape and type need', evidence, ['CWE-125']);
  layOutExternal(layouts, location.replace(/^\.\//, ''), countOf(entries.get('offset')), bytes);
};

/** Notes where the tensor is. Without a length readers take all that follows, so that is the length that the shape needs. */
const layOutExternal = (
  layouts: Layouts,
  name: string,
  offset: bigint | undefined,
  bytes: bigint | undefined,
): void => {
  if (offset === undefined || bytes === undefined) layouts.refuse(name, 'a tensor in it has no known size');
  else layouts.place(name, Number(offset), Number(offset + bytes));
};

/** Bytes to a multiple of which writers move large tensors, so that they can be mapped, and the largest such step. */
const PAGE = 4096;
const STEP = 65_536;

/** Whether onnx, onnx_ir and ONNX Runtime leave such a gap before a tensor: zeros up to the next step. */
export const padsExternal = ({ offset, length }: { readonly offset: number; readonly length: number }): boolean =>
  length < STEP && (offset + length) % PAGE === 0;

/** A count in decimal; zero when it is not said, undefined when it is something else. */
const countOf = (digits: string | undefined): bigint | undefined => {
  if (digits === undefined || digits === '') return 0n;
  if (!/^[0-9]{1,16}$/.test(digits)) return undefined;
  return BigInt(digits);
};
