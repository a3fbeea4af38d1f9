import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { printable } from '../format.ts';
import type { Constant } from './allowed/types.ts';
import { looksLikeWith } from './attempt.ts';
import { bytesOf } from './bytes.ts';
import { calls } from './calls.ts';
import { constants } from './constants.ts';
import { containers } from './containers.ts';
import { demandPlainResult } from './data.ts';
import { checkGraph } from './graph.ts';
import { badFrame, memory } from './memory.ts';
import { runNested } from './nested.ts';
import { OPCODE_NAMES, OPCODE_PROTOCOLS } from './opcodes.ts';
import type { PickleOptions, PickleRun } from './options.ts';
import { createReader } from './reader.ts';
import { type Handler, type Handlers, type Machine, report } from './state.ts';

export type { PickleOptions, PickleRun } from './options.ts';

/** Opcodes of one stream. The largest honest ones (vocabularies, word vectors in dicts) have a few million. */
const MAX_OPCODES = 5_000_000;

/** Opcodes paid for at once. */
const BATCH = 1024;

/** What the first of them are paid with: most streams of a file of many end before the second payment. */
const FIRST = 64;

/** Imported names that the run lists. */
const MAX_LISTED = 256;

/** The highest protocol that is written without a PROTO opcode. */
const UNSTATED = 1;

/** What each opcode byte does. The semantics are those of CPython's Modules/_pickle.c; a table is the fastest dispatch. */
const BY_NAME: Handlers = { ...constants, ...containers, ...memory, ...calls };
const HANDLERS: readonly (Handler | undefined)[] = OPCODE_NAMES.map((name) => name && BY_NAME[name]);

/**
 * Runs the pickle stream that starts at `start` on the abstract machine, as `_pickle.c` would but without importing or
 * calling anything, and reports what it does. Never throws on account of the stream: a break or a limit is the
 * `fault` of the run.
 */
export const runPickle = (source: RandomAccess, start: number, options: PickleOptions): PickleRun => {
  const machine = createMachine(source, start, options);
  const fault = execute(machine);
  // Looking into nested pickles moves the place of findings.
  const end = machine.stopped ? machine.reader.position : machine.at;
  if (machine.stopped) checkEnd(machine);
  runNested(machine, source, looksLikeWith, runPickle);
  return {
    value: machine.result,
    end,
    stopped: machine.stopped,
    fault: fault && printable(fault.message),
    limited: fault?.code === 'LIMIT_EXCEEDED',
    content: machine.content,
    protocol: machine.protocol,
    opcodes: machine.opcodes,
    calls: machine.calls,
    globals: [...machine.globals.values()].slice(0, MAX_LISTED).map(({ module, name }) => `${module}.${name}`),
  };
};

const createMachine = (source: RandomAccess, start: number, options: PickleOptions): Machine => ({
  reader: createReader(source, start, options.end ?? source.size),
  options,
  context: options.context,
  rules: {
    bytes: (value) => bytesOf(source, value),
    frozen: new Set(),
    inspect: (value) => options.context.nested(constantSource(source, value), `bytes at ${value.offset}`),
  },
  stack: [],
  marks: [],
  fence: 0,
  memo: new Map(),
  protocol: 0,
  frameEnd: -1,
  at: start,
  stopped: false,
  result: undefined,
  opcodes: 0,
  calls: 0,
  content: 'tensors',
  globals: new Map(),
  plain: new Set(),
  reported: new Set(),
  nested: [],
});

/** A constant as a file of its own; it is read through the window of the stream's source. */
const constantSource = (source: RandomAccess, { literal, offset, length }: Constant): RandomAccess => {
  return {
    size: length,
    read: (at, size) => (literal === undefined ? source.read(offset + at, size) : literal.subarray(at, at + size)),
  };
};

/** Executes to STOP; returns why the stream broke, if it did. */
const execute = (machine: Machine): WeighbridgeError | undefined => {
  try {
    run(machine);
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    reportFault(machine, error);
    return error;
  }
};

const run = (machine: Machine): void => {
  const { reader } = machine;
  const limit = Math.min(machine.options.opcodes ?? MAX_OPCODES, MAX_OPCODES);
  while (!machine.stopped) {
    machine.at = reader.position;
    if (machine.opcodes % BATCH === 0) machine.context.budget.spend('steps', machine.opcodes === 0 ? FIRST : BATCH);
    if (machine.opcodes >= limit) throw new WeighbridgeError('LIMIT_EXCEEDED', `pickle of over ${limit} opcodes`);
    const opcode = reader.u8();
    const handler = HANDLERS[opcode];
    if (handler === undefined) throw noOpcode(opcode, machine.at);
    machine.opcodes += 1;
    handler(machine);
    if (machine.frameEnd >= 0) leaveFrame(machine);
    if ((OPCODE_PROTOCOLS[opcode] ?? 0) > Math.max(machine.protocol, UNSTATED)) newerOpcode(machine, opcode);
  }
};

const noOpcode = (opcode: number, offset: number): WeighbridgeError =>
  new WeighbridgeError('FORMAT_INVALID', `0x${opcode.toString(16)} at ${offset} is no opcode`, { offset });

const leaveFrame = (machine: Machine): void => {
  const { position } = machine.reader;
  if (position === machine.frameEnd) machine.frameEnd = -1;
  else if (position > machine.frameEnd) badFrame(machine, 'opcode across the end of the frame');
};

const newerOpcode = (machine: Machine, opcode: number): void =>
  report(machine, {
    rule: 'pickle.protocol-lie',
    severity: 'low',
    message: 'The stream uses opcodes that are newer than the protocol it states.',
    evidence: `${OPCODE_NAMES[opcode] ?? ''} in protocol ${machine.protocol}`,
  });

/** What the loader's state must be when STOP was reached. */
const checkEnd = (machine: Machine): void => {
  if (machine.frameEnd >= 0) badFrame(machine, 'STOP before the end of the frame');
  if (machine.stack.length > 0) {
    report(machine, {
      rule: 'pickle.leftover',
      severity: 'low',
      message: 'Values are left on the stack at STOP, which no pickler does.',
      evidence: `${machine.stack.length} values`,
    });
  }
  if (machine.result === undefined) return;
  checkGraph(machine, machine.result);
  demandPlainResult(machine, machine.result);
};

const reportFault = (machine: Machine, fault: WeighbridgeError): void => {
  const limit = fault.code === 'LIMIT_EXCEEDED';
  report(machine, {
    rule: limit ? 'pickle.limit' : 'pickle.malformed',
    severity: 'medium',
    message: limit
      ? 'The stream needs more than a reader may spend on it; what lies behind was not seen.'
      : 'The stream breaks; a loader has already done what came before.',
    evidence: printable(fault.message),
    refs: limit ? ['CWE-400', 'CWE-770'] : ['CWE-20', 'CWE-502'],
    content: 'unknown',
  });
};
