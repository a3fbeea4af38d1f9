import type { RandomAccess } from '../../bytes/random-access.ts';
import { dangerOf } from '../../content/python/names.ts';
import { type Content, type Context, printable, type Severity, worseContent } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';
import { allowedName } from '../pickle/allowed.ts';
import { wrongTree } from './tree.ts';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Node types of skops.io (0.5 to 0.13) that build values, arrays and objects of a named class. */
const LOADERS = words(`
  DictNode DefaultDictNode ListNode SetNode TupleNode TypeNode SliceNode ObjectNode JsonNode BytesNode BytearrayNode
  DatetimeTimedeltaNode NdArrayNode MaskedArrayNode RandomStateNode RandomGeneratorNode DTypeNode SparseMatrixNode
  FunctionNode PartialNode SGDNode LossNode CachedNode
`);
/** Node types by which a file calls what it names, or whose state nobody checks. */
const CALLING: ReadonlyMap<string, string> = new Map([
  ['MethodNode', 'takes a method from an object'],
  ['OperatorFuncNode', 'builds a function that takes attributes or calls methods'],
  ['ReduceNode', 'calls a constructor of its own'],
  ['QuantileForestNode', 'restores a forest whose indices nobody checks'],
]);
/** The members of the archive by name, opened when asked for. */
export type Members = { has(name: string): boolean; open(name: string): RandomAccess | undefined };

/** Plain types of Python. */
const PLAIN = words('dict list tuple set frozenset str int float bool complex bytes bytearray slice NoneType range');
const REFS = ['CWE-502', 'CVE-2025-54412', 'AML.T0010'];

/** Holds every node against the allow-list; returns the worst tier that it met. */
export const checkSchema = (root: JsonValue, members: Members, context: Context): Content => {
  let content: Content = 'inert';
  const waiting: JsonValue[] = [root];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    context.budget.spend('steps', 1);
    if (isList(value)) waiting.push(...value.filter((item) => typeof item === 'object'));
    else if (isObject(value)) {
      if (value.entries.has('__loader__') || value.entries.has('__class__'))
        content = worseContent(content, checkNode(value, members, context));
      for (const item of value.entries.values()) if (typeof item === 'object' && item !== null) waiting.push(item);
    }
  }
  return content;
};

/** What a name does that no model needs; lesser doubts are those of any unknown name. */
const harm = (target: string): string | undefined => {
  const danger = dangerOf(target);
  return danger?.atImport === 'high' ? danger.what : undefined;
};

const textOf = (node: JsonObject, key: string): string => {
  const value = node.entries.get(key);
  return typeof value === 'string' ? value : '';
};

const checkNode = (node: JsonObject, members: Members, context: Context): Content => {
  const say = (rule: string, severity: Severity, message: string, evidence: string): Content => {
    context.report({
      rule: `skops.${rule}`,
      severity,
      message,
      offset: node.at,
      evidence: printable(evidence),
      refs: REFS,
    });
    return severity === 'high' ? 'active' : 'unknown';
  };
  const loader = textOf(node, '__loader__');
  const calling = CALLING.get(loader);
  const module = textOf(node, '__module__');
  const name = textOf(node, '__class__');
  const target = `${module}.${name}`;
  const danger = harm(target);
  if (danger !== undefined) return say('dangerous-type', 'high', `a node of a type that ${danger}`, target);
  if (calling !== undefined) return say('calling-node', 'medium', `a node that ${calling}`, `${loader} ${target}`);
  if (loader === 'TreeNode') {
    const wrong = target === 'sklearn.tree._tree.Tree' ? wrongTree(node, members) : 'it is no tree of scikit-learn';
    return wrong === undefined ? 'library' : say('tree', 'medium', `a tree cannot be walked: ${wrong}`, target);
  }
  if (!LOADERS.has(loader)) return say('loader-unknown', 'medium', 'a node type that skops does not have', loader);
  const file = textOf(node, 'file');
  if (file !== '' && !members.has(file)) return say('file-missing', 'medium', 'a node names no member', file);
  if (loader === 'FunctionNode') return checkFunction(node, say);
  if ((module === 'builtins' || module === 'types') && PLAIN.has(name)) return 'inert';
  const allowed = allowedName(module, name);
  if (allowed === undefined) return say('untrusted-type', 'medium', 'a node of a type that is on no list', target);
  return allowed.content;
};

/** A function is looked up by the path in its content. */
const checkFunction = (
  node: JsonObject,
  say: (rule: string, severity: Severity, message: string, evidence: string) => Content,
): Content => {
  const content = node.entries.get('content');
  const module = isObject(content) ? textOf(content, 'module_path') : textOf(node, '__module__');
  const name = isObject(content) ? textOf(content, 'function') : textOf(node, '__class__');
  const target = `${module}.${name}`;
  if (allowedName(module, name)?.reference === true) return 'data';
  const danger = harm(target);
  return danger === undefined
    ? say('untrusted-function', 'medium', 'a function that is on no list', target)
    : say('dangerous-type', 'high', `a function that ${danger}`, target);
};
