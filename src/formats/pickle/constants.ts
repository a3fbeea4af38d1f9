import {
  binaryLong,
  floatLine,
  integer,
  intLine,
  latin1,
  longLine,
  MAX_TEXT,
  stringLine,
  stringOf,
  unicodeLine,
  utf8Text,
} from './literals.ts';
import { mayHoldPickle } from './nested.ts';
import { broken, type Machine, pop, report } from './state.ts';
import { type Bytes, FALSE, NONE, type Str, TRUE, type Value } from './values.ts';

/** Opcodes that push a constant, by opcode byte. */
type Handler = (machine: Machine) => void;

const push = (machine: Machine, value: Value): void => {
  machine.stack.push(value);
};

/** Bytes that stay where they are; nothing is copied. */
const pushBytes = (machine: Machine, length: number, mutable = false): void => {
  const { reader } = machine;
  const offset = reader.position;
  const value: Bytes = { kind: 'bytes', offset, length, literal: undefined, mutable };
  if (length >= 3 && length <= reader.end - offset) {
    const start = reader.take(3);
    reader.position = offset;
    if (mayHoldPickle(start)) machine.nested.push(value);
  }
  reader.skip(length);
  push(machine, value);
};

const pushText = (machine: Machine, length: number): void => {
  const { reader } = machine;
  const at = reader.position;
  if (length > MAX_TEXT) {
    if (length > reader.end - at) broken(`string of ${length} bytes lies beyond the end of the stream`);
    const text = latin1(reader.take(MAX_TEXT));
    reader.position = at + length;
    push(machine, { kind: 'str', text, whole: false });
  } else {
    pushString(machine, { kind: 'str', text: utf8Text(reader.take(length)), whole: true });
  }
};

/** Shortest encoded text that is looked into: the shortest call takes about 12 bytes. */
const SHORTEST_ENCODED = 16;

const pushString = (machine: Machine, value: Str): void => {
  if (value.text.length >= SHORTEST_ENCODED && /^(?:gA[IMQU]|[0-9a-fA-F]{16}|Y[0-9A-Za-z]|KG|KF)/.test(value.text)) {
    machine.nested.push({ kind: 'text', text: value.text, offset: machine.at });
  } else if (value.text.charCodeAt(0) === 0x80) {
    machine.nested.push({ kind: 'text', text: value.text, offset: machine.at });
  }
  push(machine, value);
};

/** BINSTRING: bytes of Python 2, which the loader decodes; taken as latin-1, which loses nothing. */
const pushPython2String = (machine: Machine, length: number): void => {
  if (length < 0) broken('BINSTRING of negative length');
  pushString(machine, stringOf(latin1(machine.reader.take(length))));
};

/** Out-of-band buffers come from the loader, not from the file: nothing can be said about them. */
const pushBuffer: Handler = (machine) => {
  report(machine, {
    rule: 'pickle.buffer',
    severity: 'high',
    message: 'The stream asks for a buffer from outside the file.',
    content: 'unknown',
  });
  push(machine, { kind: 'opaque', what: 'out-of-band buffer', offset: machine.at });
};

export const constants: Readonly<Record<number, Handler>> = {
  78: (machine) => push(machine, NONE),
  136: (machine) => push(machine, TRUE),
  137: (machine) => push(machine, FALSE),
  73: (machine) => push(machine, intLine(machine.reader.line())),
  74: (machine) => push(machine, integer(machine.reader.i32())),
  75: (machine) => push(machine, integer(machine.reader.u8())),
  77: (machine) => push(machine, integer(machine.reader.u16())),
  76: (machine) => push(machine, longLine(machine.reader.line())),
  138: (machine) => push(machine, binaryLong(machine.reader.take(machine.reader.u8()))),
  139: (machine) => {
    const length = machine.reader.i32();
    if (length < 0) broken('LONG4 of negative length');
    push(machine, binaryLong(machine.reader.take(length)));
  },
  70: (machine) => push(machine, floatLine(machine.reader.line())),
  71: (machine) => push(machine, { kind: 'float', value: machine.reader.f64() }),
  83: (machine) => pushString(machine, stringLine(machine.reader.line())),
  84: (machine) => pushPython2String(machine, machine.reader.i32()),
  85: (machine) => pushPython2String(machine, machine.reader.u8()),
  86: (machine) => pushString(machine, unicodeLine(machine.reader.line())),
  88: (machine) => pushText(machine, machine.reader.u32()),
  140: (machine) => pushText(machine, machine.reader.u8()),
  141: (machine) => pushText(machine, machine.reader.u64()),
  66: (machine) => pushBytes(machine, machine.reader.u32()),
  67: (machine) => pushBytes(machine, machine.reader.u8()),
  142: (machine) => pushBytes(machine, machine.reader.u64()),
  150: (machine) => pushBytes(machine, machine.reader.u64(), true),
  151: pushBuffer,
  152: (machine) => push(machine, pop(machine)),
};
