import { indexLine } from './literals.ts';
import { HIGHEST_PROTOCOL } from './opcodes.ts';
import type { Handler, Handlers } from './state.ts';
import { broken, type Machine, pop, popMark, report, top } from './state.ts';

/**
 * Memo indices a stream may use beyond twice its opcodes. `_pickle.c` allocates the memo up to the index, so a huge
 * one takes the loader's memory; picklers count from 0 (Python 2: from 1).
 */
const MEMO_SLACK = 1024;

const put = (machine: Machine, index: number): void => {
  const value = top(machine);
  if (index > 2 * machine.opcodes + MEMO_SLACK) {
    broken(`memo index ${index} after ${machine.opcodes} opcodes`);
  }
  machine.memo.set(index, value);
};

const get = (machine: Machine, index: number): void => {
  machine.stack.push(machine.memo.get(index) ?? broken(`nothing is in the memo at ${index}`));
};

/** POP takes a MARK when one is on top (`load_pop`). */
const drop: Handler = (machine) => {
  if (machine.marks.length > 0 && machine.fence === machine.stack.length) popMark(machine);
  else pop(machine);
};

const proto: Handler = (machine) => {
  const protocol = machine.reader.u8();
  if (protocol > HIGHEST_PROTOCOL) broken(`protocol ${protocol} does not exist`);
  if (machine.opcodes > 1) {
    report(machine, {
      rule: 'pickle.protocol-changed',
      severity: 'medium',
      message: 'The stream changes its protocol on the way, which no pickler does.',
      evidence: `${machine.protocol} to ${protocol}`,
    });
  }
  machine.protocol = protocol;
};

/** Python's own unpickler and `_pickle.c` differ on frames that do not nest, so a lie here hides opcodes from one of them. */
const frame: Handler = (machine) => {
  const { reader } = machine;
  const length = reader.u64();
  if (machine.frameEnd >= 0 || length > reader.end - reader.position) badFrame(machine, `${length} bytes`);
  machine.frameEnd = reader.position + length;
};

/** Reports a frame that does not end where an opcode does. */
export const badFrame = (machine: Machine, evidence: string): void => {
  machine.frameEnd = -1;
  report(machine, {
    rule: 'pickle.frame',
    severity: 'high',
    message: 'A frame does not nest with the opcodes in it: loaders disagree on what this stream does.',
    evidence,
    refs: ['CWE-436', 'CWE-502'],
    content: 'unknown',
  });
};

/** Opcodes that move values between stack and memo, and those that say how the stream is written */
export const memory: Handlers = {
  MARK: (machine) => {
    machine.marks.push(machine.stack.length);
    machine.fence = machine.stack.length;
  },
  POP: drop,
  POP_MARK: (machine) => {
    popMark(machine);
  },
  DUP: (machine) => machine.stack.push(top(machine)),
  PUT: (machine) => put(machine, indexLine(machine.reader.line())),
  BINPUT: (machine) => put(machine, machine.reader.u8()),
  LONG_BINPUT: (machine) => put(machine, machine.reader.u32()),
  MEMOIZE: (machine) => put(machine, machine.memo.size),
  GET: (machine) => get(machine, indexLine(machine.reader.line())),
  BINGET: (machine) => get(machine, machine.reader.u8()),
  LONG_BINGET: (machine) => get(machine, machine.reader.u32()),
  PROTO: proto,
  FRAME: frame,
  STOP: (machine) => {
    machine.result = pop(machine);
    machine.stopped = true;
  },
};
