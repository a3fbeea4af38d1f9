import { isFault } from '../../errors.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';
import { readNpyHeader } from '../npy.ts';
import { wrongNodes } from '../pickle/rules/trees.ts';
import type { Members } from './schema.ts';

const within = (value: JsonValue | undefined, ...path: (string | number)[]): JsonValue | undefined => {
  let found = value;
  for (const step of path) {
    if (typeof step === 'number') found = isList(found) ? found[step] : undefined;
    else found = isObject(found) ? found.entries.get(step) : undefined;
  }
  return found;
};

/** A count that a JsonNode holds as text. */
const countOf = (node: JsonValue | undefined): number | undefined => {
  const content = within(node, 'content');
  return typeof content === 'string' && /^[0-9]{1,9}$/.test(content) ? Number(content) : undefined;
};

/** What is wrong with a tree of scikit-learn in a skops file; nothing when no index leads out of it. */
export const wrongTree = (node: JsonObject, members: Members): string | undefined => {
  const features = countOf(within(node, '__reduce__', 'args', 'content', 0));
  const state = within(node, 'content', 'content');
  const count = countOf(within(state, 'node_count'));
  if (features === undefined || count === undefined) return 'it does not say how many nodes and features it has';
  try {
    const values = arrayOf(within(state, 'values'), members);
    const nodes = arrayOf(within(state, 'nodes'), members);
    if (values?.header.shape[0] !== count || nodes?.header.shape.length !== 1 || nodes.header.shape[0] !== count)
      return 'its arrays have another number of nodes';
    return wrongNodes(nodes.header.type, nodes.bytes, count, features);
  } catch (error) {
    if (isFault(error)) return 'its arrays cannot be read';
    throw error;
  }
};

const arrayOf = (
  node: JsonValue | undefined,
  members: Members,
): { readonly header: ReturnType<typeof readNpyHeader>; readonly bytes: Uint8Array | undefined } | undefined => {
  const file = within(node, 'file');
  const source = typeof file === 'string' ? members.open(file) : undefined;
  if (source === undefined) return undefined;
  const header = readNpyHeader(source, 0);
  const length = header.dataLength;
  return { header, bytes: length === undefined ? undefined : source.read(header.dataOffset, length) };
};
