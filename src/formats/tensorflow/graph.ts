import { WeighbridgeError } from '../../errors.ts';
import { all, type Fields, look, one, text, type Wire } from '../protobuf/walk.ts';
import { latinOf } from '../protobuf/wire.ts';

/** Nodes that are visited to find where a path comes from. Savers are a handful of nodes deep. */
const TRACED = 10_000;
/** Strings of one constant that are looked at: a path is one string, a vocabulary is many. */
const STRINGS = 16;
/** Bytes of a string that may be a path. */
const PATH = 4096;

/** Where a node stands, and its operator. */
export type GraphNode = { readonly start: number; readonly end: number; readonly operator: string };

/** The nodes of one graph or function body by name. */
export type Graph = {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  /** Names of the arguments, when it is a function. */
  readonly arguments: ReadonlySet<string>;
};

export const graphOf = (wire: Wire, nodes: Fields, field: string, names: readonly string[]): Graph => {
  const found = new Map<string, GraphNode>();
  for (const { start, end } of all(nodes, field)) {
    const node = look(wire, 'NodeDef', { start, end });
    found.set(text(wire, node, 'name'), { start, end, operator: text(wire, node, 'op') });
  }
  return { nodes: found, arguments: new Set(names) };
};

/** Where a string tensor comes from: what the caller feeds, and constants in the graph with the names of their nodes. */
export type Origin = { caller: boolean; readonly constants: { readonly node: string; readonly value: string }[] };

/** Follows the inputs of a node back to where they begin. Throws LIMIT_EXCEEDED when that is too far. */
export const originOf = (wire: Wire, graph: Graph, inputs: readonly string[]): Origin => {
  const origin: Origin = { caller: false, constants: [] };
  const seen = new Set<string>();
  const waiting = inputs.map(nodeName);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    wire.context.budget.spend('steps', 1);
    if (seen.size > TRACED)
      throw new WeighbridgeError('LIMIT_EXCEEDED', `limit of ${TRACED} nodes behind a path reached`);
    const range = graph.nodes.get(name);
    if (range === undefined) {
      origin.caller ||= graph.arguments.has(name);
      continue;
    }
    const node = look(wire, 'NodeDef', range);
    const { operator } = range;
    if (operator === 'Const') {
      for (const value of constantStrings(wire, node)) origin.constants.push({ node: name, value });
    } else if (operator.startsWith('Placeholder') || operator === '_Arg') origin.caller = true;
    waiting.push(...inputsOf(wire, node).map(nodeName));
  }
  return origin;
};

/** Inputs of a node that carry data; control inputs begin with ^. */
export const inputsOf = (wire: Wire, node: Fields): string[] =>
  all(node, 'input')
    .map((field) => latinOf(wire.source, field, PATH))
    .filter((input) => !input.startsWith('^'));

/** `name:1` and, inside functions, `name:output:0` are outputs of the node `name`. */
const nodeName = (input: string): string => input.split(':')[0] ?? '';

/** The value of an attribute of a node. */
export const attributeOf = (wire: Wire, node: Fields, wanted: string): Fields | undefined => {
  for (const field of all(node, 'attr')) {
    const entry = look(wire, 'NodeDefAttrEntry', field);
    const value = one(entry, 'value');
    if (value !== undefined && text(wire, entry, 'key') === wanted) return look(wire, 'AttrValue', value);
  }
  return undefined;
};

/** The first strings of a constant; empty when it holds numbers. */
export const constantStrings = (wire: Wire, node: Fields): string[] => {
  const value = attributeOf(wire, node, 'value');
  const tensor = value && one(value, 'tensor');
  if (tensor === undefined) return [];
  return all(look(wire, 'TensorProto', tensor), 'string_val')
    .slice(0, STRINGS)
    .map((field) => latinOf(wire.source, field, PATH));
};

/** Texts with a slash that TensorFlow's own savers put into every graph. */
const OWN = new Set(['/part', '^s3://.*', '.part']);

/** True for text that is a path out of the model's folder, or an address. */
export const leadsOut = (value: string): boolean =>
  !OWN.has(value) &&
  (/^(?:\/|~|\\\\|[A-Za-z]:[\\/])[^\s/]/.test(value) ||
    /^[a-z][a-z0-9+.-]{1,20}:\/\//i.test(value) ||
    value.split(/[\\/]/).includes('..'));
