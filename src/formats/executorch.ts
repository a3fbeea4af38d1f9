import { type RandomAccess, section } from '../bytes/random-access.ts';
import { WeighbridgeError } from '../errors.ts';
import { disguiseOf } from './disguise.ts';
import {
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  printable,
  type Severity,
} from './format.ts';
import {
  type FlatBuffer,
  integersOf,
  openFlatBuffer,
  rootOf,
  scalar,
  stringOf,
  type Table,
  tableOf,
  tablesOf,
  vectorOf,
} from './tflite/flatbuffer.ts';
import { judgeOperator } from './torch-export/targets.ts';

/** The identifier of the schema, and the mark of the header that says where segments begin (runtime/executor). */
const IDENTIFIER = 'ET12';
const EXTENDED = 'eh00';
/** Kinds of values and instructions, in the order of the unions of the schema. */
const TENSOR = 5;
const [KERNEL, DELEGATE, MOVE, JUMP, FREE] = [1, 2, 3, 4, 5];
/** Bytes that may follow the last table or segment: padding. */
const PADDING = 4096;

const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/** Programs of ExecuTorch (schema/program.fbs): values, operators by name, instructions, and parts compiled for devices. */
export const executorch: Format = {
  name: 'executorch',
  title: 'ExecuTorch program',
  recognisedBy: 'the identifier ET12 at byte 4',
  checks:
    'every offset, index and segment inside its bounds; operators by the list of those that compute; jumps that stay in their chain; nothing behind the program; parts that are compiled for a device are not read, and the report says for which',
  references: ['https://github.com/pytorch/executorch/blob/main/schema/program.fbs', 'CWE-125', 'CWE-829'],
  recognise: (head) => head.length > 16 && head[4] === IDENTIFIER.charCodeAt(0) && textAt(head, 4) === IDENTIFIER,
  inspect(source, context): Inspection {
    const say = sayer(context);
    const buffer = openFlatBuffer(source, context);
    const program = rootOf(buffer);
    const segments = readSegments(buffer, program);
    const constants = countConstants(buffer, program);
    const delegates = new Set<string>();
    const counts = { methods: 0, operators: 0, instructions: 0 };
    for (const plan of tablesOf(buffer, program, 1)) {
      counts.methods += 1;
      checkPlan(buffer, plan, { constants, segments: segments.length, delegates, counts }, say);
    }
    for (const data of tablesOf(buffer, program, 3)) vectorOf(buffer, data, 0, 1);
    for (const { at, length } of segments) checkSegment(section(source, at, at + length), at, say);
    if (source.size - buffer.reach > PADDING)
      say('trailing', 'medium', 'bytes stand behind the program', buffer.reach, '');
    const compiled = [...delegates].join(', ');
    const coverage =
      compiled === ''
        ? complete(source.size)
        : incomplete('partial', buffer.reach, source.size, `compiled for ${compiled}: that part is not read`);
    return { format: 'executorch', content: 'inert', coverage, details: { ...counts, delegates: compiled } };
  },
};

type Say = (rule: string, severity: Severity, message: string, offset: number, evidence: string) => void;
const sayer =
  (context: Context): Say =>
  (rule, severity, message, offset, evidence) =>
    context.report({
      rule: `executorch.${rule}`,
      severity,
      message,
      offset,
      evidence: printable(evidence),
      refs: ['CWE-125', 'CWE-829'],
    });

type Segment = { readonly at: number; readonly length: number };

/** Segments follow the program, counted from where the extended header says. */
const readSegments = (buffer: FlatBuffer, program: Table): Segment[] => {
  const { source } = buffer;
  const header = source.read(8, Math.min(24, source.size - 8));
  const extended = textAt(header, 0) === EXTENDED && header.length === 24;
  const base = extended ? Number(new DataView(header.buffer, header.byteOffset, 24).getBigUint64(16, true)) : 0;
  const found: Segment[] = [];
  for (const table of tablesOf(buffer, program, 4)) {
    const at = base + scalar(buffer, table, 0, 8);
    const length = scalar(buffer, table, 1, 8);
    if (!extended || !Number.isSafeInteger(at + length) || at + length > source.size)
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'ExecuTorch: a segment ends behind the file', {
        offset: table.at,
      });
    buffer.reach = Math.max(buffer.reach, at + length);
    found.push({ at, length });
  }
  return found;
};

/** Constants stand in the program, or at offsets of a segment. */
const countConstants = (buffer: FlatBuffer, program: Table): number => {
  let inside = 0;
  for (const table of tablesOf(buffer, program, 2)) {
    vectorOf(buffer, table, 0, 1);
    inside += 1;
  }
  const placed = tableOf(buffer, program, 5);
  return Math.max(inside, placed === undefined ? 0 : vectorOf(buffer, placed, 1, 8).length);
};

const checkSegment = (bytes: RandomAccess, at: number, say: Say): void => {
  const kind = disguiseOf(bytes);
  if (kind !== undefined) say('tensor-content', 'low', `the bytes of a segment are ${kind}`, at, '');
};

type Known = {
  readonly constants: number;
  readonly segments: number;
  readonly delegates: Set<string>;
  readonly counts: { operators: number; instructions: number };
};

const checkPlan = (buffer: FlatBuffer, plan: Table, known: Known, say: Say): void => {
  const values = [...tablesOf(buffer, plan, 2)];
  for (const value of values) checkValue(buffer, value, values.length, known, say);
  const operators = [...tablesOf(buffer, plan, 6)];
  for (const operator of operators) {
    const name = stringOf(buffer, operator, 0);
    const [namespace = '', plain = ''] = name.split('::');
    const verdict = judgeOperator(namespace, plain.split('.')[0] ?? '');
    if (verdict) say('operator', verdict.severity, `an operator that ${verdict.why}`, operator.at, name);
  }
  const delegates = [...tablesOf(buffer, plan, 7)];
  for (const delegate of delegates) known.delegates.add(printable(stringOf(buffer, delegate, 0), 40));
  const refers = (numbers: readonly number[], limit: number, at: number): void => {
    const wrong = numbers.find((index) => index < 0 || index >= limit);
    if (wrong !== undefined) say('tensor-index', 'high', 'the program uses what does not exist', at, String(wrong));
  };
  for (const field of [3, 4]) refers(integersOf(buffer, plan, field), values.length, plan.at);
  known.counts.operators += operators.length;
  for (const chain of tablesOf(buffer, plan, 5)) {
    const instructions = [...tablesOf(buffer, chain, 2)];
    known.counts.instructions += instructions.length;
    for (const instruction of instructions) {
      const given = tableOf(buffer, instruction, 1);
      if (given === undefined) continue;
      const number = (field: number): number => scalar(buffer, given, field, 4) | 0;
      switch (scalar(buffer, instruction, 0, 1)) {
        case KERNEL:
          refers([number(0)], operators.length, given.at);
          refers(integersOf(buffer, given, 1), values.length, given.at);
          break;
        case DELEGATE:
          refers([number(0)], delegates.length, given.at);
          refers(integersOf(buffer, given, 1), values.length, given.at);
          break;
        case MOVE:
          refers([number(0), number(1)], values.length, given.at);
          break;
        case JUMP:
          refers([number(0)], values.length, given.at);
          refers([number(1)], instructions.length + 1, given.at);
          break;
        case FREE:
          refers([number(0)], values.length, given.at);
          break;
        default:
          say('instruction', 'medium', 'an instruction that is not known', given.at, '');
      }
    }
  }
};

const checkValue = (buffer: FlatBuffer, value: Table, values: number, known: Known, say: Say): void => {
  const kind = scalar(buffer, value, 0, 1);
  const held = tableOf(buffer, value, 1);
  if (held === undefined) return;
  if (kind === TENSOR && scalar(buffer, held, 5, 4) >= Math.max(1, known.constants))
    say('buffer-index', 'high', 'a tensor has data that do not exist', held.at, '');
  // Lists of tensors name other values, or none.
  if (kind > 9 && integersOf(buffer, held, 0).some((index) => index < -1 || index >= values))
    say('tensor-index', 'high', 'a list names a value that does not exist', held.at, '');
};
