import { type Context, printable, worseContent } from '../format.ts';
import type { PickleOptions } from '../pickle/options.ts';
import { itemsOf, textOf, type Value } from '../pickle/values.ts';
import type { TorchArchive } from './archive.ts';
import { type DataPickle, readDataPickle } from './data-pickle.ts';
import { judgeOperator } from './script-code.ts';

const BYTECODE = 'bytecode.pkl';
/** Where the tensors of the bytecode lie: it shares them with the constants. */
const CONSTANTS = 'constants';
/** What `_save_mobile_debug_info` adds: names and places in the source, for messages. */
const DEBUG = ['mobile_debug_handles.pkl', 'delegated_backends.debug_pkl', 'callstack_debug_map.pkl'];

/** Instructions of the interpreter (torch/csrc/jit/runtime/instruction.h). */
const INSTRUCTIONS = new Set(
  (
    'OP OPN LOAD MOVE STOREN STORE DROP DROPR LOADC JF JMP LOOP RET WAIT CALL GUARD TYPECHECK FAIL_GUARD PROFILE_OP ' +
    'TAIL_CALL INTERFACE_CALL GET_ATTR SET_ATTR LIST_UNPACK TUPLE_CONSTRUCT NAMED_TUPLE_CONSTRUCT LIST_CONSTRUCT ' +
    'DICT_CONSTRUCT CREATE_OBJECT ISINSTANCE TUPLE_SLICE TUPLE_INDEX RAISE_EXCEPTION DICT_INDEX UNCHECKED_CAST ' +
    '__IS__ __ISNOT__ __NOT__ DEVICE DTYPE DIM FORMAT FORK WARN ENTER EXIT AWAITABLE'
  ).split(' '),
);

/** True for a pickle that belongs to the lite interpreter. */
export const isMobile = (name: string): boolean => name === BYTECODE || DEBUG.includes(name);

/** The pickles of the lite interpreter in the archive, its bytecode judged. */
export const readMobile = (
  archive: TorchArchive,
  allow: PickleOptions['allow'],
): readonly (readonly [DataPickle, string])[] => {
  const debug = DEBUG.filter((name) => archive.find(name) !== undefined).map(
    (name) => [readDataPickle(archive, name, CONSTANTS, allow), CONSTANTS] as const,
  );
  const member = archive.find(BYTECODE);
  if (member === undefined) return debug;
  const read = readDataPickle(archive, BYTECODE, CONSTANTS, allow);
  const { context } = archive;
  context.report({
    rule: `${archive.format}.mobile-bytecode`,
    severity: 'medium',
    message:
      'the archive holds bytecode for the lite interpreter of mobile devices, which follows its registers, jumps and slots unchecked',
    offset: member.localHeader,
    evidence: printable(member.name),
    refs: ['CWE-125', 'CWE-829'],
  });
  const clean = judgeBytecode(read.value, read.context);
  return [[clean ? read : { ...read, content: worseContent(read.content, 'unknown') }, CONSTANTS], ...debug];
};

type Odd = { readonly why: string; readonly what: string };
type Told = Odd | (NonNullable<ReturnType<typeof judgeOperator>> & { readonly evidence: string });

const TABLES = new Set(['instructions', 'operators', 'constants', 'types', 'register_size']);

const tablesOf = (entry: Value): readonly (readonly [string, Value])[] =>
  (itemsOf(itemsOf(entry)?.[1]) ?? []).flatMap((pair) => {
    const [table, items] = itemsOf(pair) ?? [];
    return items === undefined ? [] : [[textOf(table) ?? '', items] as const];
  });

const isFunction = (entry: Value): boolean => {
  const [name, tables, , more] = itemsOf(entry) ?? [];
  const read = tablesOf(entry);
  const all = itemsOf(tables)?.length === read.length && read.every(([table]) => TABLES.has(table));
  return all && textOf(name) !== undefined && more === undefined;
};

const judgeInstruction = (item: Value): Told | undefined => {
  const name = textOf(itemsOf(item)?.[0]) ?? '';
  return INSTRUCTIONS.has(name)
    ? undefined
    : { why: 'the bytecode has an instruction that does not exist', what: name };
};

const judgeName = (item: Value): Told | undefined => {
  const [first, overload] = itemsOf(item) ?? [];
  const written = textOf(first) ?? '';
  const [, namespace = '', name = ''] = /^(\w+)::(\w+)$/.exec(written) ?? [];
  if (namespace === '' || textOf(overload) === undefined)
    return { why: 'the bytecode names an operator as torch does not', what: written };
  const judged = judgeOperator([namespace, name]);
  return judged === undefined ? undefined : { ...judged, evidence: printable(written) };
};

const judgeType = (item: Value): Told | undefined => {
  const written = textOf(item);
  const native = /\b__torch__\.torch\.classes\.(?!quantized\b|rnn\b|sparse\b)/.test(written ?? '');
  return written === undefined || native
    ? { why: 'the bytecode names a class of native code', what: written ?? item.kind }
    : undefined;
};

const reportOdd = (context: Context, { why, what }: Odd): void =>
  context.report({
    rule: 'torchscript.bytecode',
    severity: 'high',
    message: why,
    offset: 0,
    evidence: printable(what),
    refs: ['CWE-20', 'CWE-125'],
  });

/**
 * Judges the functions of the bytecode: (version, (name, tables[, schema]), …), the tables being pairs of their name and
 * items (torch/csrc/jit/mobile/import.cpp). Operators are held to the list for source, instructions to those that exist.
 * True when nothing else is in it.
 */
const judgeBytecode = (value: Value | undefined, context: Context): boolean => {
  const [version, ...functions] = itemsOf(value) ?? [];
  let clean = value?.kind === 'tuple' && version?.kind === 'int' && functions.every(isFunction);
  if (!clean) reportOdd(context, { why: 'the bytecode is not a version and functions with their tables', what: '' });
  for (const [table, held] of functions.flatMap(tablesOf)) {
    const judge = JUDGES.get(table);
    if (judge === undefined) continue;
    const items = itemsOf(held) ?? [];
    context.budget.spend('steps', items.length);
    for (const told of items.map(judge)) {
      if (told === undefined) continue;
      clean = false;
      if ('why' in told) reportOdd(context, told);
      else context.report({ ...told, offset: 0, refs: ['CWE-94', 'CWE-829'] });
    }
  }
  return clean;
};

const JUDGES: ReadonlyMap<string, (item: Value) => Told | undefined> = new Map([
  ['instructions', judgeInstruction],
  ['operators', judgeName],
  ['types', judgeType],
]);
