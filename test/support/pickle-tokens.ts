import { createBudget } from '../../src/bytes/limits.ts';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { isFault } from '../../src/errors.ts';
import { type Context, complete } from '../../src/formats/format.ts';
import { calls } from '../../src/formats/pickle/calls.ts';
import { constants } from '../../src/formats/pickle/constants.ts';
import { containers } from '../../src/formats/pickle/containers.ts';
import { memory } from '../../src/formats/pickle/memory.ts';
import { OPCODE_NAMES, type OpcodeName } from '../../src/formats/pickle/opcodes.ts';
import { createReader, type Reader } from '../../src/formats/pickle/reader.ts';
import type { Handlers, Machine } from '../../src/formats/pickle/state.ts';
import { type Bytes, NONE, type Str, type Value } from '../../src/formats/pickle/values.ts';

const HANDLERS: Handlers = { ...constants, ...containers, ...memory, ...calls };

/** What a stream says, opcode by opcode, whatever a loader's stack would make of it. */
export type Tokens = {
  /** `NAME position operand`, the way test/support/pickletools.py writes them. */
  readonly tokens: readonly string[];
  /** Offset behind STOP, or of the opcode that cannot be read. */
  readonly end: number;
  readonly stopped: boolean;
};

const str: Str = { kind: 'str', text: 'x', whole: true };
const silent: Context = {
  path: [],
  budget: createBudget(),
  provisional: false,
  report: () => undefined,
  nested: (source) => ({ format: 'none', content: 'unknown', coverage: complete(source.size) }),
};

/** Remembers the last number read: the operand of opcodes that push no value. */
const watched = (reader: Reader): { reader: Reader; last: () => number } => {
  let last = 0;
  const keep = (read: () => number) => () => {
    last = read();
    return last;
  };
  const own: Reader = {
    get position() {
      return reader.position;
    },
    set position(value) {
      reader.position = value;
    },
    end: reader.end,
    u8: keep(() => reader.u8()),
    u16: keep(() => reader.u16()),
    u32: keep(() => reader.u32()),
    i32: keep(() => reader.i32()),
    u64: keep(() => reader.u64()),
    f64: () => reader.f64(),
    take: (length) => reader.take(length),
    skip: (length) => reader.skip(length),
    line: () => reader.line(),
  };
  return { reader: own, last: () => last };
};

const utf16 = (text: string): string => `s${Buffer.from(text, 'utf16le').toString('hex')}`;
const double = Buffer.alloc(8);

const shown = (value: Value | undefined, stream: Uint8Array): string => {
  switch (value?.kind) {
    case 'bool':
      return value.value ? 'True' : 'False';
    case 'int':
      return String(value.value);
    case 'float':
      if (Number.isNaN(value.value)) return 'nan';
      double.writeDoubleBE(value.value);
      return `f${double.toString('hex')}`;
    case 'str':
      return utf16(value.text);
    case 'bytes':
      return `b${Buffer.from(bytesIn(value, stream)).toString('hex')}`;
    default:
      return '';
  }
};
const bytesIn = ({ offset, length }: Bytes, stream: Uint8Array): Uint8Array => stream.subarray(offset, offset + length);

const NUMBERED: ReadonlySet<OpcodeName> = new Set([
  'BINPUT',
  'LONG_BINPUT',
  'BINGET',
  'LONG_BINGET',
  'PROTO',
  'FRAME',
  'EXT1',
  'EXT2',
  'EXT4',
]);
const INDEXED: ReadonlySet<OpcodeName> = new Set(['GET', 'PUT']);
const NAMED: ReadonlySet<OpcodeName> = new Set(['GLOBAL', 'INST']);

/** Reads `stream` with the handlers of the machine itself, each on a stack that suits it, so that only operands can break it. */
export const tokensOf = (stream: Uint8Array): Tokens => {
  const tokens: string[] = [];
  const { reader, last } = watched(createReader(fromBytes(stream), 0, stream.length));
  let index = 0;
  let persistent: Value | undefined;
  const memo = new Map<number, Value>();
  memo.get = (asked) => {
    index = asked;
    return NONE;
  };
  memo.set = (asked) => {
    index = asked;
    return memo;
  };
  const machine: Machine = {
    reader,
    options: {
      context: silent,
      persistent: (id) => {
        persistent = id;
        return NONE;
      },
    },
    context: silent,
    rules: { bytes: () => new Uint8Array(), frozen: new Set(), inspect: () => silent.nested(fromBytes(stream), '') },
    stack: [],
    marks: [],
    fence: 0,
    memo,
    protocol: 3,
    frameEnd: -1,
    at: 0,
    stopped: false,
    result: undefined,
    opcodes: 0,
    calls: 0,
    content: 'tensors',
    globals: new Map(),
    plain: new Set(),
    reported: new Set(),
    nested: [],
  };

  const step = (): boolean => {
    const name = OPCODE_NAMES[reader.u8()];
    const handler = name === undefined ? undefined : HANDLERS[name];
    if (name === undefined || handler === undefined) return false;
    machine.opcodes += 1;
    machine.protocol = 3;
    machine.frameEnd = -1;
    machine.stack.splice(0, machine.stack.length, str, str, str, str);
    machine.marks.splice(0, machine.marks.length, ...(MARKED.has(name) ? [2] : []));
    machine.fence = machine.marks[0] ?? 0;
    handler(machine);
    tokens.push(`${name} ${machine.at} ${operandOf(name)}`);
    return true;
  };
  const operandOf = (name: OpcodeName): string => {
    if (NUMBERED.has(name)) return String(last());
    if (INDEXED.has(name)) return String(index);
    const top = machine.stack.at(-1);
    if (NAMED.has(name)) {
      const found = [...machine.globals.values()].at(-1);
      machine.globals.clear();
      return utf16(`${found?.module} ${found?.name}`);
    }
    if (name === 'PERSID') return shown(persistent, stream);
    return name in constants ? (PLAIN.has(name) ? '' : shown(top, stream)) : '';
  };

  try {
    while (!machine.stopped) {
      machine.at = reader.position;
      if (!step()) return { tokens, end: machine.at, stopped: false };
    }
    return { tokens, end: reader.position, stopped: true };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { tokens, end: machine.at, stopped: false };
  }
};

const MARKED: ReadonlySet<OpcodeName> = new Set([
  'POP_MARK',
  'TUPLE',
  'LIST',
  'DICT',
  'FROZENSET',
  'APPENDS',
  'ADDITEMS',
  'SETITEMS',
  'INST',
  'OBJ',
]);
/** Constants without an operand. */
const PLAIN: ReadonlySet<OpcodeName> = new Set(['NONE', 'NEWTRUE', 'NEWFALSE', 'NEXT_BUFFER', 'READONLY_BUFFER']);
