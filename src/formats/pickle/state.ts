import { WeighbridgeError } from '../../errors.ts';
import { type Content, type Context, type Severity, worseContent } from '../format.ts';
import type { RuleContext } from './allowed/types.ts';
import type { OpcodeName } from './opcodes.ts';
import type { PickleOptions } from './options.ts';
import type { Reader } from './reader.ts';
import type { Bytes, Global, Value } from './values.ts';

/** The machine between two opcodes. */
export type Machine = {
  readonly reader: Reader;
  readonly options: PickleOptions;
  readonly context: Context;
  readonly rules: RuleContext;
  readonly stack: Value[];
  /** Stack heights at the open MARKs. */
  readonly marks: number[];
  /** Stack height that may not be popped below: the innermost MARK. */
  fence: number;
  readonly memo: Map<number, Value>;
  protocol: number;
  /** Offset at which the current FRAME ends; -1 outside frames. */
  frameEnd: number;
  /** Offset of the opcode that executes. */
  at: number;
  stopped: boolean;
  result: Value | undefined;
  opcodes: number;
  calls: number;
  content: Content;
  /** Imported names by `module LF name`: a loader gives one object for a name, and so does the machine. */
  readonly globals: Map<string, Global>;
  /** Values that were found free of globals without the role `reference`; what is added to them later is looked at then. */
  readonly plain: Set<Value>;
  /** What was reported once and is not repeated. */
  readonly reported: Set<string>;
  /** Constants that look like pickles, looked into when the stream has ended. */
  readonly nested: (Bytes | { readonly kind: 'text'; readonly text: string; readonly offset: number })[];
};

/** What one opcode does. */
export type Handler = (machine: Machine) => unknown;
export type Handlers = Readonly<Partial<Record<OpcodeName, Handler>>>;

/** Ends the stream: its loader would raise here. */
export const broken = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message);
};

/** Takes the top of the stack; the stream is broken when a MARK or the bottom is there. */
export const pop = (machine: Machine): Value => {
  const value = machine.stack.length > machine.fence ? machine.stack.pop() : undefined;
  return value ?? broken('the stack is empty');
};

/** The top of the stack, which stays. */
export const top = (machine: Machine): Value => {
  const value = machine.stack.length > machine.fence ? machine.stack[machine.stack.length - 1] : undefined;
  return value ?? broken('the stack is empty');
};

/** Takes everything above the innermost MARK, and the MARK. */
export const popMark = (machine: Machine): Value[] => {
  const mark = machine.marks.pop() ?? broken('there is no MARK');
  machine.fence = machine.marks[machine.marks.length - 1] ?? 0;
  return machine.stack.splice(mark);
};

type Report = {
  rule: string;
  severity: Severity;
  message: string;
  evidence?: string;
  refs?: readonly string[];
  /** What the content becomes. */
  content?: Content;
};

/** CWE-502 deserialisation of untrusted data, and what the other catalogues call it. */
export const DESERIALISATION: readonly string[] = ['CWE-502', 'LLM03:2025', 'AML.T0010', 'AML.T0011.000'];

/** Reports a finding at the opcode that executes, once for each rule and evidence. */
export const report = (machine: Machine, { content, refs = DESERIALISATION, ...finding }: Report): void => {
  if (content !== undefined) machine.content = worseContent(machine.content, content);
  const key = `${finding.rule}\n${finding.evidence ?? ''}`;
  if (machine.reported.has(key)) return;
  machine.reported.add(key);
  machine.context.report({ ...finding, refs, offset: machine.at });
};
