/** The syntax tree of @huggingface/jinja as plain records: every field is checked where it is read. */
export type Node = { readonly type: string; readonly [field: string]: unknown };

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

/** A field that is a node. */
export const child = (node: Node, field: string): Node | undefined => {
  const value = node[field];
  return isNode(value) ? value : undefined;
};

/** Text of an identifier or string literal; empty for everything else. */
export const textOf = (node: Node | undefined): string =>
  node !== undefined && typeof node['value'] === 'string' ? node['value'] : '';

/** Value of an integer literal, negative ones too. */
export const integerOf = (node: Node | undefined): number | undefined =>
  node?.type === 'IntegerLiteral' && typeof node['value'] === 'number' ? node['value'] : undefined;

/** True for a field that is a mere name: of an attribute, a test, a filter or a keyword. */
const isName = (node: Node, field: string): boolean =>
  field === 'operator' ||
  field === 'filter' ||
  (field === 'test' && node.type === 'TestExpression') ||
  (field === 'key' && node.type === 'KeywordArgumentExpression') ||
  (field === 'property' && node['computed'] !== true);

/** Every node directly below `node` that has a value, through lists and maps; mere names are left out. */
export const children = (node: Node): Node[] => {
  const found: Node[] = [];
  const add = (value: unknown): void => {
    if (isNode(value)) found.push(value);
    else if (Array.isArray(value)) value.forEach(add);
    else if (value instanceof Map) {
      for (const [key, item] of value) {
        add(key);
        add(item);
      }
    }
  };
  for (const [field, value] of Object.entries(node)) if (!isName(node, field)) add(value);
  const filter = child(node, 'filter');
  if (filter?.type === 'CallExpression') add(filter['args']);
  return found;
};

/** `root` and all nodes below it, without recursion: a template may be nested as deep as it likes. */
export const walk = function* (root: Node): Generator<Node> {
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node;
    for (const below of children(node).reverse()) waiting.push(below);
  }
};
