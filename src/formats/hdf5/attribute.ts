import type { Cursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { printable } from '../format.ts';
import { judgeKerasText } from '../keras/metadata.ts';
import { isPickle } from '../pickle/format.ts';
import { readDataspace } from './dataspace.ts';
import { type Datatype, holds, readDatatype } from './datatype.ts';
import { address, cursorIn, type Hdf5, invalid, latin, noteUnread, untilNul } from './file.ts';
import { MESSAGE, type Message, readHeader, sharedHeader } from './header.ts';
import { globalObject } from './heap.ts';

/** Strings of one attribute: the names of the weights of a large model. */
const STRINGS = 200_000;
/** Bytes of one string: the configuration of a large model has some megabytes. */
const STRING = 64 * MIB;
/** Bytes of text that is looked at as a configuration. */
const SHORT = 2;

export type Attribute = {
  readonly name: string;
  readonly type: Datatype;
  readonly elements: number;
  /** Where its data are. */
  readonly at: number;
  readonly size: number;
};

/** Reads an attribute message (HDF5 file format 3.0, IV.A.2.m), version 1 to 3. */
export const readAttribute = (file: Hdf5, { at, size }: Pick<Message, 'at' | 'size'>): Attribute => {
  const cursor = cursorIn(file, at, size);
  const version = cursor.u8();
  if (version < 1 || version > 3) return invalid(`attribute version ${version} is not known`, at);
  const flags = cursor.u8();
  const [nameSize, typeSize, spaceSize] = [cursor.u16(), cursor.u16(), cursor.u16()];
  if (version === 3) cursor.skip(1);
  const fill = (bytes: number): number => (version === 1 ? Math.ceil(bytes / 8) * 8 : bytes);
  const name = untilNul(cursor.bytes(nameSize));
  cursor.skip(fill(nameSize) - nameSize);
  const typeAt = at + cursor.position;
  const shared = version > 1 && (flags & 1) !== 0;
  const type = shared
    ? committedType(file, cursorIn(file, typeAt, typeSize))
    : readDatatype(cursorIn(file, typeAt, typeSize));
  if (version > 1 && (flags & 2) !== 0) return invalid('the dataspace of an attribute stands elsewhere', at);
  const spaceAt = typeAt + fill(typeSize);
  const space = readDataspace(file, cursorIn(file, spaceAt, spaceSize));
  const data = spaceAt + fill(spaceSize);
  return { name, type, elements: space.elements, at: data, size: at + size - data };
};

/** The datatype that a shared message leads to. */
export const committedType = (file: Hdf5, cursor: Cursor): Datatype => {
  const header = sharedHeader(file, cursor);
  if (header === undefined) return invalid('a datatype stands in a heap of shared messages', 0);
  const found = readHeader(file, header).find(({ type, shared }) => type === MESSAGE.datatype && !shared);
  return found === undefined
    ? invalid('a shared datatype is none', header)
    : readDatatype(cursorIn(file, found.at, found.size));
};

/** Judges what an attribute holds: references, text that is a configuration of Keras, bytes that are a pickle. */
export const judgeAttribute = (file: Hdf5, attribute: Attribute, owner: string): void => {
  const { name, type, elements, at, size } = attribute;
  const evidence = printable(`${owner}@${name}`);
  if (holds(type, 'reference'))
    file.report('reference', 'info', 'an attribute refers to objects or regions', at, evidence);
  if (name === 'PSEUDOATOM' && firstText(file, attribute) === 'object') {
    const message = 'PyTables keeps pickles in this dataset and unpickles them when it is read';
    file.report('pickles', 'high', message, at, evidence, ['CWE-502', 'AML.T0010']);
  }
  if (!type.text && type.class !== 'opaque' && !holds(type, 'string') && !holds(type, 'variable')) {
    if (type.size * elements > size) invalid('the data of an attribute end behind it', at);
    return;
  }
  for (const value of valuesOf(file, attribute)) judgeValue(file, value, at, evidence);
};

/** The strings of an attribute as sources; values of other types are skipped. */
export const valuesOf = function* (file: Hdf5, { type, elements, at, size }: Attribute): Generator<RandomAccess> {
  const cursor = cursorIn(file, at, size);
  within('strings of an attribute', elements, STRINGS);
  for (let index = 0; index < elements; index++) {
    file.context.budget.spend('steps', 1);
    if (type.class !== 'variable') {
      yield fromBytes(cursor.bytes(type.size));
      continue;
    }
    const bytes = cursor.u32() * Math.max(1, type.text ? 1 : (type.inner[0]?.size ?? 1));
    const heap = address(file, cursor);
    const object = cursor.u32();
    if (bytes === 0 || heap === undefined) continue;
    const value = globalObject(file, heap, object);
    yield section(value, 0, Math.min(value.size, bytes));
  }
};

const firstText = (file: Hdf5, attribute: Attribute): string => {
  for (const value of valuesOf(file, attribute)) return untilNul(value.read(0, Math.min(value.size, 64)));
  return '';
};

const judgeValue = (file: Hdf5, value: RandomAccess, at: number, evidence: string): void => {
  if (value.size < SHORT) return;
  const head = value.read(0, Math.min(value.size, 4096));
  if (head[0] === 0x7b || head[0] === 0x5b) judgeText(file, value, at);
  else if (couldBePickle(head) && isPickle(head, value)) {
    file.report('pickle', 'medium', 'a value is a pickle: PyTables and pandas unpickle what they read', at, evidence, [
      'CWE-502',
    ]);
    const { coverage } = file.context.nested(value, evidence);
    if (coverage.state !== 'complete') noteUnread(file, coverage.reason);
  }
};

/** Text of most attributes is no pickle at first sight; names of layers are not tried one by one. */
const couldBePickle = (head: Uint8Array): boolean => {
  const first = head[0] ?? 0;
  return first === 0x80 || first === 0x63 || first === 0x28 || first === 0x69;
};

/** JSON that describes a Keras model or its training, wherever it stands. */
const judgeText = (file: Hdf5, value: RandomAccess, at: number): void => {
  const text = untilNulText(value);
  const about = text.includes('class_name') || text.includes('"module"') || text.includes('function_type');
  if (about && !judgeKerasText(text, at, file.context, 'keras')) noteUnread(file, 'a configuration cannot be read');
};

const untilNulText = (value: RandomAccess): string => {
  const bytes = value.read(0, within('bytes of a configuration', value.size, STRING));
  const end = bytes.indexOf(0);
  const own = end < 0 ? bytes : bytes.subarray(0, end);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(own);
  } catch (error) {
    if (isFault(error) || error instanceof TypeError) return latin(own);
    throw error;
  }
};
