import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { exceeded, within } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Streams, folders and files of one archive. */
const ENTRIES = 100_000;
/** Coders of one folder: a compression behind a filter or two. */
const CODERS = 4;

/** Marks of the parts of a header (7zFormat.txt, "Property IDs"). */
export const MARK = {
  end: 0x00,
  header: 0x01,
  mainStreams: 0x04,
  files: 0x05,
  packed: 0x06,
  unpacked: 0x07,
  substreams: 0x08,
  size: 0x09,
  digest: 0x0a,
  folder: 0x0b,
  coderSizes: 0x0c,
  counts: 0x0d,
  emptyStream: 0x0e,
  emptyFile: 0x0f,
  anti: 0x10,
  names: 0x11,
  attributes: 0x15,
  encoded: 0x17,
  padding: 0x19,
} as const;

export type Coder = { readonly method: string; readonly properties: Uint8Array; readonly size: number };
/** Coders in the order in which the packed bytes pass them. */
export type Folder = { readonly coders: readonly Coder[]; readonly digest: number | undefined };
/** A file's part of what a folder unpacks to. */
export type Part = { readonly size: number; readonly digest: number | undefined };
export type Streams = {
  /** Where the packed bytes begin, counted from the end of the signature header. */
  readonly position: number;
  readonly packed: readonly number[];
  readonly folders: readonly Folder[];
  readonly parts: readonly (readonly Part[])[];
};
export type Entry = { readonly name: string; readonly empty: boolean; readonly folder: boolean; readonly mode: number };

export const invalid: (message: string, offset?: number) => never = (message, offset = 0) => {
  throw new WeighbridgeError('FORMAT_INVALID', `7z: ${message}`, { offset });
};

/** A number whose first byte says how many follow (7zFormat.txt, "REAL_UINT64"). */
const number = (cursor: Cursor): number => {
  const first = cursor.u8();
  let value = 0;
  for (let index = 0, mask = 0x80; index < 8; index++, mask >>= 1) {
    if ((first & mask) === 0) {
      value += (first & (mask - 1)) * 2 ** (8 * index);
      return Number.isSafeInteger(value) ? value : exceeded('7z number', Number.MAX_SAFE_INTEGER);
    }
    value += cursor.u8() * 2 ** (8 * index);
  }
  return Number.isSafeInteger(value) ? value : exceeded('7z number', Number.MAX_SAFE_INTEGER);
};

const count = (cursor: Cursor, what: string): number => within(`7z ${what}`, number(cursor), ENTRIES);
const numbers = (cursor: Cursor, many: number): number[] => Array.from({ length: many }, () => number(cursor));

const bits = (cursor: Cursor, many: number): boolean[] => {
  const bytes = cursor.bytes(Math.ceil(many / 8));
  return Array.from({ length: many }, (_, index) => ((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0);
};
const definedOf = (cursor: Cursor, many: number): boolean[] =>
  cursor.u8() === 0 ? bits(cursor, many) : new Array<boolean>(many).fill(true);

const digests = (cursor: Cursor, many: number): (number | undefined)[] =>
  definedOf(cursor, many).map((defined) => (defined ? cursor.u32() : undefined));

/** Packed streams, folders of coders, and how many files each unpacks to. */
export const readStreams = (cursor: Cursor): Streams => {
  let mark = number(cursor);
  let [position, packed]: [number, number[]] = [0, []];
  if (mark === MARK.packed) {
    position = number(cursor);
    const many = count(cursor, 'streams');
    mark = number(cursor);
    if (mark === MARK.size) [packed, mark] = [numbers(cursor, many), number(cursor)];
    if (mark === MARK.digest) {
      digests(cursor, many);
      mark = number(cursor);
    }
    if (mark !== MARK.end || packed.length !== many) invalid('packed streams without sizes', cursor.position);
    mark = number(cursor);
  }
  let folders: Folder[] = [];
  if (mark === MARK.unpacked) {
    folders = readFolders(cursor);
    mark = number(cursor);
  }
  let parts = folders.map(({ coders, digest }): Part[] => [{ size: coders.at(-1)?.size ?? 0, digest }]);
  if (mark === MARK.substreams) {
    parts = readParts(cursor, folders);
    mark = number(cursor);
  }
  if (mark !== MARK.end) invalid('a part that is not known', cursor.position);
  if (packed.length !== folders.length) invalid('not one stream for each folder', cursor.position);
  return { position, packed, folders, parts };
};

const readFolders = (cursor: Cursor): Folder[] => {
  if (number(cursor) !== MARK.folder) invalid('no folders', cursor.position);
  const many = count(cursor, 'folders');
  if (cursor.u8() !== 0) invalid('folders that stand elsewhere', cursor.position);
  const folders = Array.from({ length: many }, () => readCoders(cursor));
  if (number(cursor) !== MARK.coderSizes) invalid('folders without sizes', cursor.position);
  const sized = folders.map(({ coders, order }) => {
    const sizes = numbers(cursor, coders.length);
    return order.map((index) => ({ ...(coders[index] ?? invalid('a coder that is none')), size: sizes[index] ?? 0 }));
  });
  let mark = number(cursor);
  let sums: (number | undefined)[] = [];
  if (mark === MARK.digest) [sums, mark] = [digests(cursor, many), number(cursor)];
  if (mark !== MARK.end) invalid('folders that do not end', cursor.position);
  return sized.map((coders, index) => ({ coders, digest: sums[index] }));
};

type Unsized = { readonly coders: readonly Omit<Coder, 'size'>[]; readonly order: readonly number[] };

/** Coders with one input and one output each, bound to one chain; others (BCJ2) are not read. */
const readCoders = (cursor: Cursor): Unsized => {
  const many = number(cursor);
  if (many === 0 || many > CODERS) invalid('a folder of too many coders', cursor.position);
  const coders = Array.from({ length: many }, () => {
    const flags = cursor.u8();
    const method = [...cursor.bytes(flags & 0x0f)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    if ((flags & 0xc0) !== 0) invalid('a coder with alternatives', cursor.position);
    if ((flags & 0x10) !== 0 && (number(cursor) !== 1 || number(cursor) !== 1))
      invalid(`method ${method} has several streams and is not read`, cursor.position);
    const properties = (flags & 0x20) !== 0 ? cursor.bytes(number(cursor)) : new Uint8Array();
    return { method, properties };
  });
  const binds = Array.from({ length: many - 1 }, () => ({ input: number(cursor), output: number(cursor) }));
  // The coder that no other feeds reads the packed bytes; from it on each output is the input of the next.
  const first = coders.findIndex((_, index) => !binds.some(({ input }) => input === index));
  const order = [first];
  for (let step = 1; step < many; step++)
    order.push(binds.find(({ output }) => output === order.at(-1))?.input ?? invalid('coders that are no chain'));
  if (first < 0 || new Set(order).size !== many) invalid('coders that are no chain', cursor.position);
  return { coders, order };
};

const readParts = (cursor: Cursor, folders: readonly Folder[]): Part[][] => {
  let mark = number(cursor);
  let counts = folders.map(() => 1);
  if (mark === MARK.counts) {
    counts = folders.map(() => count(cursor, 'files'));
    mark = number(cursor);
  }
  const total = counts.reduce((sum, many) => sum + many, 0);
  within('7z files', total, ENTRIES);
  const sizes = folders.map((folder, index) => {
    const whole = folder.coders.at(-1)?.size ?? 0;
    const given = (counts[index] ?? 0) > 1 && mark === MARK.size ? numbers(cursor, (counts[index] ?? 0) - 1) : [];
    const rest = whole - given.reduce((sum, size) => sum + size, 0);
    if (rest < 0 || (counts[index] ?? 0) > given.length + 1) invalid('files beyond their folder', cursor.position);
    return (counts[index] ?? 0) === 0 ? [] : [...given, rest];
  });
  if (mark === MARK.size) mark = number(cursor);
  const alone = folders.map(({ digest }, index) => (counts[index] === 1 ? digest : undefined));
  const missing = total - alone.filter((digest) => digest !== undefined).length;
  let given: (number | undefined)[] = [];
  if (mark === MARK.digest) [given, mark] = [digests(cursor, missing), number(cursor)];
  if (mark !== MARK.end) invalid('files that do not end', cursor.position);
  let next = 0;
  return sizes.map((list, index) => list.map((size) => ({ size, digest: alone[index] ?? given[next++] })));
};

/** The files of a header, in the order of the parts that hold them. */
export const readHeader = (bytes: Uint8Array): { readonly streams: Streams; readonly entries: readonly Entry[] } => {
  const cursor = createCursor(fromBytes(bytes));
  if (number(cursor) !== MARK.header) invalid('no header');
  let mark = number(cursor);
  let streams: Streams = { position: 0, packed: [], folders: [], parts: [] };
  if (mark === MARK.mainStreams) [streams, mark] = [readStreams(cursor), number(cursor)];
  let entries: Entry[] = [];
  if (mark === MARK.files) [entries, mark] = [readEntries(cursor), number(cursor)];
  if (mark !== MARK.end || cursor.remaining() > 0) invalid('a part that is not known', cursor.position);
  return { streams, entries };
};

const readEntries = (cursor: Cursor): Entry[] => {
  const many = count(cursor, 'files');
  let names: string[] = [];
  let empty = new Array<boolean>(many).fill(false);
  let file: boolean[] = [];
  let modes: number[] = [];
  for (let mark = number(cursor); mark !== MARK.end; mark = number(cursor)) {
    const size = number(cursor);
    const end = cursor.position + size;
    const inner = createCursor(fromBytes(cursor.bytes(size)));
    if (mark === MARK.names) names = readNames(inner, many);
    else if (mark === MARK.emptyStream) empty = bits(inner, many);
    else if (mark === MARK.emptyFile) file = bits(inner, empty.filter(Boolean).length);
    else if (mark === MARK.attributes) modes = readModes(inner, many);
    else if (mark === MARK.anti) invalid('a file that deletes another', cursor.position);
    else if (mark > MARK.padding) invalid('a property of files that is not known', cursor.position);
    cursor.position = end;
  }
  if (names.length !== many) invalid('files without names', cursor.position);
  let next = 0;
  return names.map((name, index) => {
    const hollow = empty[index] ?? false;
    return { name, empty: hollow, folder: hollow && !(file[next++] ?? false), mode: modes[index] ?? 0 };
  });
};

/** UTF-16, each ended by zero. */
const readNames = (cursor: Cursor, many: number): string[] => {
  if (cursor.u8() !== 0) invalid('names that stand elsewhere');
  const names: string[] = [];
  let units: number[] = [];
  while (cursor.remaining() >= 2) {
    const unit = cursor.u16();
    if (unit !== 0) units.push(within('7z name', units.length, 4096) >= 0 ? unit : 0);
    else {
      names.push(String.fromCharCode(...units));
      units = [];
    }
  }
  return units.length > 0 || names.length !== many ? invalid('another number of names') : names;
};

/** The Unix mode stands in the upper half where bit 15 says so. */
const readModes = (cursor: Cursor, many: number): number[] => {
  const defined = definedOf(cursor, many);
  if (cursor.u8() !== 0) invalid('attributes that stand elsewhere');
  return defined.map((known) => {
    const value = known ? cursor.u32() : 0;
    return (value & 0x8000) !== 0 ? value >>> 16 : 0;
  });
};
