import type { RandomAccess } from '../../bytes/random-access.ts';
import { section } from '../../bytes/random-access.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { disguiseOf } from '../disguise.ts';
import { type Context, complete, type Format, type Inspection, printable, type Severity } from '../format.ts';
import { readZipDirectory, reportDeviations } from '../zip/directory.ts';
import { hasEndRecord } from '../zip/end-record.ts';
import { inspectMembers } from '../zip/plain.ts';
import {
  type FlatBuffer,
  i32,
  integersOf,
  openFlatBuffer,
  rootOf,
  scalar,
  stringOf,
  type Table,
  tablesOf,
  vectorOf,
} from './flatbuffer.ts';
import { isTflite } from './identifier.ts';
import { judgeCode } from './operators.ts';

/** Version of the schema. */
const VERSION = 3;
/** Bits of one element, by TensorType; 0 where it has no fixed size (string, resource, variant). */
const BITS = [32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4];
/** Bytes that may follow the last table that is walked: padding, and options of operators, which are not. */
const UNWALKED = 4096;

/**
 * TensorFlow Lite (schema.fbs, identifier TFL3): a FlatBuffer with operator codes, subgraphs of tensors and operators, and
 * buffers. Builtin operators are computed by the runtime; custom ones run a native library that has been registered, and
 * those whose name begins with Flex are operators of TensorFlow itself, files and Python included. Buffers may also lie
 * behind the tables, at an offset. Tools put a zip of label files behind the model (TFLite Metadata).
 */
export const tflite: Format = {
  name: 'tflite',
  title: 'TensorFlow Lite model',
  recognisedBy: 'the identifier TFL3 at byte 4',
  checks:
    'every offset, vtable, vector and index inside its bounds; builtin operator codes that exist; no custom operator, Flex operators by the list of TensorFlow; ' +
    'buffers of the size that shape and type need; nothing behind the model but a zip of inert files',
  references: ['tensorflow/lite/schema/schema.fbs', 'CVE-2022-23558', 'CVE-2020-15211'],
  recognise: isTflite,
  inspect(source, context): Inspection {
    const buffer = openFlatBuffer(source, context);
    const say = sayer(context);
    const model = rootOf(buffer);
    if (scalar(buffer, model, 0, 4) !== VERSION) say('version', 'medium', 'another version of the schema', 0, '');
    const codes = checkCodes(buffer, model, say);
    const buffers = readBuffers(buffer, model);
    const counts = checkGraphs(buffer, model, codes, buffers, say);
    checkMetadata(buffer, model, buffers.length, say);
    const behind = checkTail(source, buffer, context, say);
    return { format: 'tflite', ...behind, details: { ...counts, buffers: buffers.length, operatorCodes: codes } };
  },
};

type Say = (rule: string, severity: Severity, message: string, offset: number, evidence: string) => void;
const sayer =
  (context: Context): Say =>
  (rule, severity, message, offset, evidence) =>
    context.report({
      rule: `tflite.${rule}`,
      severity,
      message,
      offset,
      evidence: printable(evidence),
      refs: ['CWE-125'],
    });

const checkCodes = (buffer: FlatBuffer, model: Table, say: Say): number => {
  let codes = 0;
  for (const code of tablesOf(buffer, model, 1)) {
    codes += 1;
    const verdict = judgeCode(buffer, code);
    if (verdict === undefined) continue;
    const { rule, severity, message, evidence } = verdict;
    say(rule.slice('tflite.'.length), severity, message, code.at, evidence);
  }
  return codes;
};

type Data = { readonly at: number; readonly length: number };

const readBuffers = (buffer: FlatBuffer, model: Table): Data[] => {
  const found: Data[] = [];
  for (const table of tablesOf(buffer, model, 4)) {
    const offset = scalar(buffer, table, 1, 8);
    const length = scalar(buffer, table, 2, 8);
    if (offset > 1) {
      // Behind the tables, for models over 2 GB: nothing but bounds.
      section(buffer.source, offset, offset + length);
      buffer.reach = Math.max(buffer.reach, offset + length);
      found.push({ at: offset, length });
    } else found.push(vectorOf(buffer, table, 0, 1));
  }
  return found;
};

const checkGraphs = (buffer: FlatBuffer, model: Table, codes: number, buffers: readonly Data[], say: Say) => {
  const counts = { subgraphs: 0, tensors: 0, operators: 0 };
  const judged = new Set<number>();
  for (const graph of tablesOf(buffer, model, 2)) {
    let tensors = 0;
    for (const tensor of tablesOf(buffer, graph, 0)) {
      tensors += 1;
      checkTensor(buffer, tensor, buffers, judged, say);
    }
    const refers = (table: Table, field: number): void => {
      const wrong = integersOf(buffer, table, field).find((index) => index < -1 || index >= tensors);
      if (wrong !== undefined)
        say('tensor-index', 'high', 'a tensor is used that does not exist', table.at, String(wrong));
    };
    refers(graph, 1);
    refers(graph, 2);
    for (const operator of tablesOf(buffer, graph, 3)) {
      counts.operators += 1;
      const code = scalar(buffer, operator, 0, 4);
      if (code >= codes)
        say('code-index', 'high', 'an operator has a code that does not exist', operator.at, String(code));
      refers(operator, 1);
      refers(operator, 2);
    }
    counts.subgraphs += 1;
    counts.tensors += tensors;
  }
  return counts;
};

const checkTensor = (
  buffer: FlatBuffer,
  tensor: Table,
  buffers: readonly Data[],
  judged: Set<number>,
  say: Say,
): void => {
  const name = stringOf(buffer, tensor, 3);
  const bits = BITS[scalar(buffer, tensor, 1, 1)];
  const index = scalar(buffer, tensor, 2, 4);
  const data = buffers[index];
  if (bits === undefined) say('tensor-type', 'medium', 'a tensor has an unknown element type', tensor.at, name);
  if (data === undefined) {
    // Buffer 0 is the empty one, and some writers leave it out.
    if (index > 0) say('buffer-index', 'high', 'a tensor has a buffer that does not exist', tensor.at, name);
    return;
  }
  if (data.length === 0) return;
  const shape = integersOf(buffer, tensor, 0);
  const elements = shape.reduce((product, dim) => product * BigInt(dim), 1n);
  const sparse = vectorless(buffer, tensor, 6);
  if (shape.some((dim) => dim < 0))
    say('tensor-shape', 'high', 'a tensor with data has a negative dimension', tensor.at, name);
  else if (bits !== undefined && bits > 0 && !sparse && (elements * BigInt(bits) + 7n) / 8n !== BigInt(data.length))
    say('tensor-size', 'high', 'a buffer has another size than shape and type need', tensor.at, name);
  if (judged.has(index)) return;
  judged.add(index);
  const kind = disguiseOf(section(buffer.source, data.at, data.at + data.length));
  if (kind !== undefined) say('tensor-content', 'low', `the bytes of a tensor are ${kind}`, data.at, name);
};

/** Whether a tensor says that its data are stored sparsely, and so have another size. */
const vectorless = (buffer: FlatBuffer, tensor: Table, field: number): boolean =>
  scalar(buffer, tensor, field, 4) !== 0;

const checkMetadata = (buffer: FlatBuffer, model: Table, buffers: number, say: Say): void => {
  for (const entry of tablesOf(buffer, model, 6)) {
    const name = stringOf(buffer, entry, 0);
    if (scalar(buffer, entry, 1, 4) >= buffers)
      say('buffer-index', 'high', 'metadata have a buffer that does not exist', entry.at, name);
  }
  const { at, length } = vectorOf(buffer, model, 5, 4);
  for (let index = 0; index < length; index++) {
    if (i32(buffer, at + 4 * index) >= buffers)
      say('buffer-index', 'high', 'metadata have a buffer that does not exist', at, '');
  }
};

/** What stands behind the model: nothing, padding, or the zip of associated files. */
const checkTail = (source: RandomAccess, buffer: FlatBuffer, context: Context, say: Say): Together => {
  const nothing: Together = { content: 'inert', coverage: complete(source.size) };
  if (hasEndRecord(source)) return checkFiles(source, buffer, context, say);
  const left = source.size - buffer.reach;
  if (left > UNWALKED) say('trailing', 'medium', `${left} bytes stand behind the model`, buffer.reach, '');
  return nothing;
};

const checkFiles = (source: RandomAccess, buffer: FlatBuffer, context: Context, say: Say): Together => {
  const directory = readZipDirectory(source);
  const first = directory.members.reduce((least, { localHeader }) => Math.min(least, localHeader), source.size);
  if (first < buffer.reach) say('overlap', 'high', 'the model and the archive behind it overlap', first, '');
  const expected = new Set(['gap', 'prefix-bytes']);
  reportDeviations(
    directory.deviations.filter(({ rule }) => !expected.has(rule)),
    context,
    'tflite',
  );
  const files = inspectMembers(directory, context, 'tflite');
  return joinMember({ content: 'inert', coverage: complete(source.size) }, files, 'associated files', source.size);
};
