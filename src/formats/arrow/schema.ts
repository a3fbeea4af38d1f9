import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault } from '../../errors.ts';
import { bigOf, bytesOf, type ThriftStruct } from './thrift.ts';

/** A column of a Parquet file: its path, and how deep its values may be missing or repeated. */
export type Leaf = { readonly name: string; readonly definition: number; readonly repetition: number };

/** Field numbers of SchemaElement in parquet.thrift. */
const ELEMENT = { repetition: 3, name: 4, children: 5 };
const OPTIONAL = 1n;
const REPEATED = 2n;

const nameOf = (element: ThriftStruct): string => {
  try {
    return decodeUtf8(bytesOf(element.get(ELEMENT.name)));
  } catch (error) {
    if (!isFault(error)) throw error;
    return '?';
  }
};

/**
 * The leaves of a schema, which is listed depth first; the first element is the root. Wrappers of lists and maps are
 * left out of names.
 */
export const leavesOf = (elements: readonly ThriftStruct[]): Leaf[] => {
  const leaves: Leaf[] = [];
  /** Groups that are open: children still to come, and what they hand down. */
  const open: { left: number; name: string; definition: number; repetition: number }[] = [];
  for (const [index, element] of elements.entries()) {
    while (open.length > 0 && open.at(-1)?.left === 0) open.pop();
    const parent = open.at(-1);
    if (parent !== undefined) parent.left -= 1;
    const kind = bigOf(element.get(ELEMENT.repetition));
    const isRoot = index === 0;
    const own = nameOf(element);
    const wraps =
      ['list', 'element', 'item', 'array', 'key_value'].includes(own) && parent !== undefined && parent.name !== '';
    const name = isRoot ? '' : wraps ? parent.name : parent?.name ? `${parent.name}.${own}` : own;
    const definition = (parent?.definition ?? 0) + (!isRoot && (kind === OPTIONAL || kind === REPEATED) ? 1 : 0);
    const repetition = (parent?.repetition ?? 0) + (!isRoot && kind === REPEATED ? 1 : 0);
    const children = Number(bigOf(element.get(ELEMENT.children)));
    if (children > 0 || isRoot) open.push({ left: children, name, definition, repetition });
    else leaves.push({ name, definition, repetition });
  }
  return leaves;
};
