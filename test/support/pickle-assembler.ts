/**
 * A tiny assembler for pickle streams, to build what no pickler writes. `op` holds one function for each opcode, which
 * returns its bytes; `assemble` joins them. Nothing that is built here is ever loaded by anything but our own machine.
 */
export type Piece = Uint8Array | string | readonly Piece[];

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const little = (value: number | bigint, length: number): Uint8Array => {
  let rest = BigInt.asUintN(8 * length, BigInt(value));
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    out[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return out;
};

/** Joins pieces; a string stands for its characters as bytes. */
export const assemble = (...pieces: readonly Piece[]): Uint8Array => {
  const flat = pieces.flatMap(flatten);
  const out = new Uint8Array(flat.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of flat) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
};

const flatten = (piece: Piece): Uint8Array[] => {
  if (typeof piece === 'string') return [Uint8Array.from(piece, (letter) => letter.charCodeAt(0))];
  return piece instanceof Uint8Array ? [piece] : piece.flatMap(flatten);
};

const plain = (code: number) => (): Uint8Array => bytes(code);
const line = (code: number) => (text: string | number) => assemble(bytes(code), utf8(`${text}\n`));
const pair = (code: number) => (module: string, name: string) => assemble(bytes(code), utf8(`${module}\n${name}\n`));
const number = (code: number, length: number) => (value: number | bigint) =>
  assemble(bytes(code), little(value, length));
const counted = (code: number, length: number) => (data: string | Uint8Array, lie?: number | bigint) => {
  const content = typeof data === 'string' ? utf8(data) : data;
  return assemble(bytes(code), little(lie ?? content.length, length), content);
};

export const op = {
  mark: plain(0x28),
  stop: plain(0x2e),
  pop: plain(0x30),
  popMark: plain(0x31),
  dup: plain(0x32),
  none: plain(0x4e),
  true: plain(0x88),
  false: plain(0x89),
  int: line(0x49),
  long: line(0x4c),
  float: line(0x46),
  binint: number(0x4a, 4),
  binint1: number(0x4b, 1),
  binint2: number(0x4d, 2),
  long1: counted(0x8a, 1),
  long4: counted(0x8b, 4),
  binfloat: (value: number): Uint8Array => {
    const out = new DataView(new ArrayBuffer(9));
    out.setUint8(0, 0x47);
    out.setFloat64(1, value);
    return new Uint8Array(out.buffer);
  },
  string: line(0x53),
  binstring: counted(0x54, 4),
  shortBinstring: counted(0x55, 1),
  unicode: line(0x56),
  binunicode: counted(0x58, 4),
  shortBinunicode: counted(0x8c, 1),
  binunicode8: counted(0x8d, 8),
  binbytes: counted(0x42, 4),
  shortBinbytes: counted(0x43, 1),
  binbytes8: counted(0x8e, 8),
  bytearray8: counted(0x96, 8),
  nextBuffer: plain(0x97),
  readonlyBuffer: plain(0x98),
  emptyTuple: plain(0x29),
  tuple: plain(0x74),
  tuple1: plain(0x85),
  tuple2: plain(0x86),
  tuple3: plain(0x87),
  emptyList: plain(0x5d),
  list: plain(0x6c),
  append: plain(0x61),
  appends: plain(0x65),
  emptyDict: plain(0x7d),
  dict: plain(0x64),
  setitem: plain(0x73),
  setitems: plain(0x75),
  emptySet: plain(0x8f),
  additems: plain(0x90),
  frozenset: plain(0x91),
  put: line(0x70),
  binput: number(0x71, 1),
  longBinput: number(0x72, 4),
  memoize: plain(0x94),
  get: line(0x67),
  binget: number(0x68, 1),
  longBinget: number(0x6a, 4),
  global: pair(0x63),
  inst: pair(0x69),
  stackGlobal: plain(0x93),
  reduce: plain(0x52),
  object: plain(0x6f),
  newobj: plain(0x81),
  newobjEx: plain(0x92),
  build: plain(0x62),
  ext1: number(0x82, 1),
  ext2: number(0x83, 2),
  ext4: number(0x84, 4),
  persid: line(0x50),
  binpersid: plain(0x51),
  proto: number(0x80, 1),
  frame: number(0x95, 8),
} as const;

/** A string constant of protocol 4, otherwise of protocol 1. */
export const text = (value: string, protocol = 4): Uint8Array =>
  protocol >= 4 && utf8(value).length < 256 ? op.shortBinunicode(value) : op.binunicode(value);

/** Imports `module.name` as picklers of the protocol do. */
export const named = (module: string, name: string, protocol = 4): Uint8Array =>
  protocol >= 4 ? assemble(text(module), text(name), op.stackGlobal()) : op.global(module, name);

/** The ways to call what `callee` leaves on the stack with the pieces as arguments. */
export const callForms: Readonly<Record<string, (module: string, name: string, args: readonly Piece[]) => Uint8Array>> =
  {
    reduce: (module, name, args) => assemble(named(module, name), op.mark(), args, op.tuple(), op.reduce()),
    globalReduce: (module, name, args) => assemble(op.global(module, name), op.mark(), args, op.tuple(), op.reduce()),
    inst: (module, name, args) => assemble(op.mark(), args, op.inst(module, name)),
    object: (module, name, args) => assemble(op.mark(), named(module, name), args, op.object()),
    newobj: (module, name, args) => assemble(named(module, name), op.mark(), args, op.tuple(), op.newobj()),
    newobjEx: (module, name, args) =>
      assemble(named(module, name), op.mark(), args, op.tuple(), op.emptyDict(), op.newobjEx()),
  };

/** A whole pickle: PROTO, the pieces, STOP. */
export const pickled = (protocol: number, ...pieces: readonly Piece[]): Uint8Array =>
  assemble(protocol >= 2 ? op.proto(protocol) : '', pieces, op.stop());
