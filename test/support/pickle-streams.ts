import { OPCODE_NAMES, type OpcodeName } from '../../src/formats/pickle/opcodes.ts';
import {
  ATTACKS,
  ESCAPES,
  FLOATS,
  LARGE,
  NAMES,
  NUMBERS,
  ODD_FLOATS,
  ODD_NUMBERS,
  SCALARS,
  WIDE_ESCAPES,
} from './pickle-texts.ts';
import { randomFrom } from './pickle-weigh.ts';

/** Bytes of the longest stream. */
const LONGEST = 64 * 1024;
/** The file that streams would make if anything executed them, where that process works. It must never exist. */
export const MARKER = 'weighbridge-stream-was-executed';

const KNOWN: readonly number[] = OPCODE_NAMES.flatMap((name, byte) => (name === undefined ? [] : [byte]));
const BYTE_OF = new Map(OPCODE_NAMES.flatMap((name, byte) => (name === undefined ? [] : [[name, byte] as const])));

/** Streams that are the same for the same seed: what picklers write, any opcodes, damage to both, and plain noise. */
export const createStreams = (seed: number): (() => Uint8Array) => {
  const random = randomFrom(seed);
  const out = new Uint8Array(LONGEST);
  const view = new DataView(out.buffer);
  let at = 0;
  let memoised = 0;

  const upTo = (below: number): number => Math.floor(random() * below);
  const chance = (share: number): boolean => random() < share;
  const one = <T>(list: readonly T[]): T => {
    const item = list[upTo(list.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  };
  const byte = (value: number): void => {
    if (at < LONGEST) out[at++] = value;
  };
  const little = (value: number, bytes: number): void => {
    let rest = value < 0 ? value + 2 ** (8 * bytes) : value;
    for (let index = 0; index < bytes; index++) {
      byte(rest % 256);
      rest = Math.floor(rest / 256);
    }
  };
  const latin = (text: string): void => {
    for (let index = 0; index < text.length; index++) byte(text.charCodeAt(index));
  };
  const noise = (length: number): void => {
    for (let index = 0; index < length; index++) byte(upTo(256));
  };
  const opcode = (name: OpcodeName): void => byte(BYTE_OF.get(name) ?? 0);
  /** Mostly short; now and then long enough for two-byte lengths. */
  const someLength = (): number => (chance(0.02) ? upTo(600) : upTo(chance(0.5) ? 4 : 24));
  /** A length that is now and then not the true one. */
  const stated = (length: number): number => {
    if (!chance(0.01)) return length;
    return one([length + 1, Math.max(0, length - 1), 0, 2 ** 31, 2 ** 32 - 1, length + 70_000]);
  };

  const utf8 = (length: number): void => {
    const start = at;
    while (at - start < length) {
      const kind = upTo(12);
      const left = length - (at - start);
      if (kind < 8 || left < 2) byte(0x20 + upTo(0x5f));
      else if (kind === 8 || left < 3) little(0xc3 + 256 * (0x80 + upTo(64)), 2);
      else if (kind === 9 || left < 4) latin('\xe4\xb8\xad');
      else if (kind === 10) latin('\xf0\x9f\x98\x80');
      else latin(one(['\xed\xa0\x80', '\xed\xb0\x80', '\xed\xa0\xbd\xed\xb8\x80']));
    }
    if (chance(0.01) && length > 0) out[at - 1] = 0xff;
  };
  const digits = (): string => {
    if (chance(0.9)) return String(upTo(one([10, 300, 70_000, 2 ** 31, 2 ** 53])) * (chance(0.3) ? -1 : 1));
    return chance(0.6) ? one(NUMBERS) : one(chance(0.98) ? ODD_NUMBERS : LARGE);
  };
  const line = (text: string): void => {
    latin(text);
    if (!chance(0.002)) byte(0x0a);
  };
  const escaped = (escapes: readonly string[]): string =>
    Array.from({ length: upTo(6) }, () => (chance(0.8) ? one(['a', 'xyz', ' ', '0', "'"]) : one(escapes))).join('');
  const quoted = (): string => {
    if (chance(0.02)) return one(["'", '"', "''", '', `'a"`, 'a']);
    const mark = one(["'", '"']);
    return `${mark}${escaped(ESCAPES).replaceAll(mark, '')}${mark}`;
  };
  const lengthed = (bytes: number, fill: (length: number) => void): void => {
    const length = Math.min(someLength(), 255);
    little(stated(length) % 2 ** (8 * bytes), bytes);
    fill(length);
  };
  const names = (): void => {
    const [module, name] = chance(0.95)
      ? one(chance(0.8) ? NAMES.slice(0, 7) : NAMES)
      : [escaped(ESCAPES), escaped(ESCAPES)];
    line(module.replaceAll('\n', ''));
    line(name.replaceAll('\n', ''));
  };

  const float = (value: number): void => {
    if (at + 8 > LONGEST) return;
    view.setFloat64(at, value);
    at += 8;
  };
  const binaryFloat = (): void => {
    if (chance(0.5)) noise(8);
    else float((random() - 0.5) * 10 ** (upTo(600) - 300));
  };
  const floatText = (): string => {
    if (chance(0.8)) return String((random() - 0.5) * 10 ** upTo(30));
    return one(chance(0.7) ? FLOATS : ODD_FLOATS);
  };
  const indexText = (): string => (chance(0.9) ? String(upTo(900)) : digits());
  const memoIndex = (): number => (chance(0.97) ? upTo(1000) : upTo(2 ** 32));

  /** What stands behind the opcodes that have an operand. */
  const operands: Partial<Record<OpcodeName, () => void>> = {
    INT: () => line(digits()),
    GET: () => line(indexText()),
    PUT: () => line(indexText()),
    LONG: () => line(`${digits()}${chance(0.7) ? 'L' : ''}`),
    FLOAT: () => line(floatText()),
    STRING: () => line(quoted()),
    UNICODE: () => line(escaped(chance(0.5) ? WIDE_ESCAPES.slice(0, 2) : WIDE_ESCAPES)),
    PERSID: () => line(chance(0.9) ? `id${upTo(100)}` : escaped(ESCAPES)),
    GLOBAL: names,
    INST: names,
    BININT: () => little(upTo(2 ** 32), 4),
    EXT4: () => little(upTo(2 ** 32), 4),
    LONG_BINGET: () => little(memoIndex(), 4),
    LONG_BINPUT: () => little(memoIndex(), 4),
    BININT2: () => little(upTo(65536), 2),
    EXT2: () => little(upTo(65536), 2),
    PROTO: () => byte(chance(0.97) ? upTo(6) : upTo(256)),
    BININT1: () => byte(upTo(256)),
    BINGET: () => byte(upTo(256)),
    BINPUT: () => byte(upTo(256)),
    EXT1: () => byte(upTo(256)),
    FRAME: () => little(chance(0.97) ? upTo(300) : upTo(2 ** 50), 8),
    BINFLOAT: binaryFloat,
    LONG1: () => lengthed(1, noise),
    SHORT_BINBYTES: () => lengthed(1, noise),
    SHORT_BINSTRING: () => lengthed(1, noise),
    LONG4: () => lengthed(4, noise),
    BINBYTES: () => lengthed(4, noise),
    BINSTRING: () => lengthed(4, noise),
    BINBYTES8: () => lengthed(8, noise),
    BYTEARRAY8: () => lengthed(8, noise),
    SHORT_BINUNICODE: () => lengthed(1, utf8),
    BINUNICODE: () => lengthed(4, utf8),
    BINUNICODE8: () => lengthed(8, utf8),
  };
  const operation = (name: OpcodeName): void => {
    opcode(name);
    operands[name]?.();
  };

  const memo = (protocol: number): void => {
    if (chance(0.3)) return;
    if (protocol >= 4) opcode('MEMOIZE');
    else if (protocol === 0) {
      opcode('PUT');
      latin(`${memoised}\n`);
    } else {
      opcode(memoised < 256 ? 'BINPUT' : 'LONG_BINPUT');
      little(memoised, memoised < 256 ? 1 : 4);
    }
    memoised += 1;
  };
  const text = (value: string, protocol: number): void => {
    if (protocol >= 4) {
      opcode('SHORT_BINUNICODE');
      byte(value.length);
      latin(value);
    } else if (protocol > 0) {
      opcode('BINUNICODE');
      little(value.length, 4);
      latin(value);
    } else {
      opcode('UNICODE');
      latin(`${value}\n`);
    }
    memo(protocol);
  };
  const named = (module: string, name: string, protocol: number): void => {
    if (protocol >= 4) {
      text(module, protocol);
      text(name, protocol);
      opcode('STACK_GLOBAL');
    } else {
      opcode('GLOBAL');
      latin(`${module}\n${name}\n`);
    }
    memo(protocol);
  };
  /** A call that would leave the marker behind. */
  const attack = (protocol: number): void => {
    const [module, name] = one(ATTACKS);
    named(module, name, protocol);
    opcode('MARK');
    text(`touch ${MARKER}`, protocol);
    opcode('TUPLE');
    opcode('REDUCE');
  };
  const remembered = (protocol: number): void => {
    opcode(protocol > 0 ? 'BINGET' : 'GET');
    if (protocol > 0) byte(upTo(Math.min(memoised, 256)));
    else latin(`${upTo(memoised)}\n`);
  };
  const ordered = (protocol: number): void => {
    named('collections', 'OrderedDict', protocol);
    opcode(protocol > 0 ? 'EMPTY_TUPLE' : 'MARK');
    if (protocol === 0) opcode('TUPLE');
    opcode('REDUCE');
  };
  const container = (depth: number, protocol: number, kind: 'tuple' | 'list' | 'dict'): void => {
    if (kind !== 'tuple' && protocol > 0) {
      opcode(kind === 'list' ? 'EMPTY_LIST' : 'EMPTY_DICT');
      memo(protocol);
    }
    opcode('MARK');
    for (let left = upTo(4); left > 0; left--) {
      if (kind === 'dict') text(`k${left}`, protocol);
      value(depth + 1, protocol);
    }
    if (kind === 'tuple') opcode('TUPLE');
    else if (protocol > 0) opcode(kind === 'list' ? 'APPENDS' : 'SETITEMS');
    else opcode(kind === 'list' ? 'LIST' : 'DICT');
  };
  const value = (depth: number, protocol: number): void => {
    const kind = depth > 3 ? 0 : upTo(10);
    if (kind === 5 && memoised > 0) remembered(protocol);
    else if (kind <= 5) operation(one(SCALARS[protocol] ?? ['NONE']));
    else if (kind === 6 && chance(0.2)) attack(protocol);
    else if (kind === 6) ordered(protocol);
    else container(depth, protocol, kind === 7 ? 'tuple' : kind === 8 ? 'list' : 'dict');
  };

  const asPicklers = (): void => {
    const protocol = upTo(6);
    memoised = 0;
    if (protocol >= 2) {
      opcode('PROTO');
      byte(protocol);
    }
    const framed = protocol >= 4 && chance(0.5);
    const frame = at;
    if (framed) {
      opcode('FRAME');
      at += 8;
    }
    value(0, protocol);
    opcode('STOP');
    if (framed) view.setBigUint64(frame + 1, BigInt(at - frame - 9), true);
  };
  const anyOpcodes = (): void => {
    for (let count = upTo(40); count > 0; count--) operation(OPCODE_NAMES[one(KNOWN)] ?? 'NONE');
    if (chance(0.9)) opcode('STOP');
  };
  const plainNoise = (): void => {
    for (let count = 1 + upTo(60); count > 0; count--) byte(chance(0.5) ? one(KNOWN) : upTo(256));
  };
  const damage = (): void => {
    if (at === 0) return;
    const place = upTo(at);
    const length = 1 + upTo(Math.min(16, at - place));
    switch (upTo(6)) {
      case 0:
        out[place] = (out[place] ?? 0) ^ (1 << upTo(8));
        return;
      case 1:
        out[place] = upTo(256);
        return;
      case 2:
        at = place;
        return;
      case 3:
        out.copyWithin(place, place + length, at);
        at -= length;
        return;
      case 4: {
        if (at + length > LONGEST) return;
        out.copyWithin(place + length, place, at);
        at += length;
        return;
      }
      default:
        out[place] = one(KNOWN);
    }
  };

  return () => {
    at = 0;
    const kind = random();
    if (kind < 0.5) asPicklers();
    else if (kind < 0.93) anyOpcodes();
    else plainNoise();
    if (chance(0.35)) for (let times = 1 + upTo(3); times > 0; times--) damage();
    return out.slice(0, at);
  };
};
