import { latin1 } from '../../bytes/latin1.ts';
import {
  binaryLong,
  floatLine,
  integer,
  intLine,
  longLine,
  MAX_TEXT,
  stringLine,
  stringOf,
  unicodeLine,
  utf8Text,
} from './literals.ts';
import { mayHoldPickle } from './nested.ts';
import type { Handler, Handlers } from './state.ts';
import { broken, type Machine, pop, report } from './state.ts';
import { type Bytes, FALSE, NONE, type Str, TRUE, type Value } from './values.ts';

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
    push(machine, { kind: 'str', text, whole: false, place: { offset: at, length } });
  } else {
    const text = utf8Text(reader.take(length));
    const value: Str = { kind: 'str', text, whole: true };
    pushString(machine, length < FILE ? value : { ...value, place: { offset: at, length } });
  }
};

/** Bytes of a text from which on it may be a file: the text of a model is longer. */
const FILE = 64;

/** Shortest encoded text that is looked into: the shortest call takes about 12 bytes. */
const SHORTEST_ENCODED = 16;

const pushString = (machine: Machine, value: Str): void => {
  if (value.text.length >= SHORTEST_ENCODED && /^(?:gA[I-X]|[0-9a-fA-F]{16}|Y[0-9A-Za-z]|KG|KF)/.test(value.text)) {
    machine.nested.push({ kind: 'text', text: value.text, offset: machine.at });
  } else if (value.text.charCodeAt(0) === 0x80) {
    machine.nested.push({ kind: 'text', text: value.text, offset: machine.at });
  }
  push(machine, value);
};

/** BINSTRING: bytes of Python 2, which the loader decodes; taken as latin-1, which loses nothing. */
const pushPython2String = (machine: Machine, length: number): void => {
  if (length < 0) broken('BINSTRING of negative length');
  if (length > MAX_TEXT) pushBytes(machine, length);
  else pushString(machine, stringOf(latin1(machine.reader.take(length))));
};

/** Bytes that were written with escapes. */
const pushLiteral = (machine: Machine, value: Bytes): void => {
  if (mayHoldPickle(value.literal?.subarray(0, 3) ?? new Uint8Array())) machine.nested.push(value);
  push(machine, value);
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

/** Opcodes that push a constant. */
export const constants: Handlers = {
  NONE: (machine) => push(machine, NONE),
  NEWTRUE: (machine) => push(machine, TRUE),
  NEWFALSE: (machine) => push(machine, FALSE),
  INT: (machine) => push(machine, intLine(machine.reader.line())),
  BININT: (machine) => push(machine, integer(machine.reader.i32())),
  BININT1: (machine) => push(machine, integer(machine.reader.u8())),
  BININT2: (machine) => push(machine, integer(machine.reader.u16())),
  LONG: (machine) => push(machine, longLine(machine.reader.line())),
  LONG1: (machine) => push(machine, binaryLong(machine.reader.take(machine.reader.u8()))),
  LONG4: (machine) => {
    const length = machine.reader.i32();
    if (length < 0) broken('LONG4 of negative length');
    push(machine, binaryLong(machine.reader.take(length)));
  },
  FLOAT: (machine) => push(machine, floatLine(machine.reader.line())),
  BINFLOAT: (machine) => push(machine, { kind: 'float', value: machine.reader.f64() }),
  STRING: (machine) => {
    const value = stringLine(machine.reader.line(), machine.at);
    if (value.kind === 'str') pushString(machine, value);
    else pushLiteral(machine, value);
  },
  BINSTRING: (machine) => pushPython2String(machine, machine.reader.i32()),
  SHORT_BINSTRING: (machine) => pushPython2String(machine, machine.reader.u8()),
  UNICODE: (machine) => pushString(machine, unicodeLine(machine.reader.line())),
  BINUNICODE: (machine) => pushText(machine, machine.reader.u32()),
  SHORT_BINUNICODE: (machine) => pushText(machine, machine.reader.u8()),
  BINUNICODE8: (machine) => pushText(machine, machine.reader.u64()),
  BINBYTES: (machine) => pushBytes(machine, machine.reader.u32()),
  SHORT_BINBYTES: (machine) => pushBytes(machine, machine.reader.u8()),
  BINBYTES8: (machine) => pushBytes(machine, machine.reader.u64()),
  BYTEARRAY8: (machine) => pushBytes(machine, machine.reader.u64(), true),
  NEXT_BUFFER: pushBuffer,
  READONLY_BUFFER: (machine) => {
    pop(machine);
    pushBuffer(machine);
  },
};
