import { printable, type Severity } from '../../formats/format.ts';
import {
  ATTRIBUTE_FILTERS,
  FILTERS,
  FORMATTERS,
  FUNCTIONS,
  GADGETS,
  METHODS,
  NAMING_FILTERS,
  TESTS,
  UNSAFE_ATTRIBUTES,
} from './allowed.ts';
import { child, children, integerOf, isNode, type Node, textOf, walk } from './nodes.ts';

/** A rule's verdict about one node. */
export type Objection = {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly evidence: string;
};

/** Iterations or repetitions that no chat needs; below it a template is merely slow. */
const REPEATS = 100_000;
/** From here on rendering takes minutes or all memory. */
const REPEATS_FATAL = 10_000_000;

type Names = { readonly bound: ReadonlySet<string>; readonly built: ReadonlySet<string> };

const object = (rule: string, severity: Severity, message: string, evidence: string): Objection => ({
  rule: `jinja.${rule}`,
  severity,
  message,
  evidence: printable(evidence),
});

const BUILDING_FILTERS = new Set(
  `join replace reverse lower upper string format title trim center ljust rjust zfill capitalize swapcase casefold strip
   lstrip rstrip removeprefix removesuffix expandtabs translate encode decode strftime`.split(/\s+/),
);

/** True when a value is put together from text, so that its characters stand nowhere in the template. */
const builds = (node: Node | undefined, built: ReadonlySet<string>): boolean => {
  if (node === undefined) return false;
  if (node.type === 'Identifier') return built.has(textOf(node));
  if (node.type === 'BinaryExpression') {
    const sign = textOf(child(node, 'operator'));
    const sides = [child(node, 'left'), child(node, 'right')];
    const textual = sides.some((side) => side?.type === 'StringLiteral' || builds(side, built));
    return sign === '~' || ((sign === '+' || sign === '%' || sign === '*') && textual);
  }
  if (node.type === 'FilterExpression') {
    const filter = child(node, 'filter');
    const name = textOf(filter?.type === 'CallExpression' ? child(filter, 'callee') : filter);
    return BUILDING_FILTERS.has(name) || builds(child(node, 'operand'), built);
  }
  if (node.type === 'CallExpression') {
    const callee = child(node, 'callee');
    if (callee?.type === 'Identifier') return textOf(callee) === 'strftime_now';
    return callee?.type === 'MemberExpression' && BUILDING_FILTERS.has(textOf(child(callee, 'property')));
  }
  if (node.type === 'MemberExpression' && child(node, 'property')?.type === 'SliceExpression') {
    const object = child(node, 'object');
    return object?.type === 'StringLiteral' || builds(object, built);
  }
  return node.type === 'Ternary' && children(node).some((part) => builds(part, built));
};

/** Names that the template itself gives a value, and those whose value is put together from text. */
export const namesOf = (root: Node): Names => {
  const bound = new Set<string>();
  const built = new Set<string>();
  const bind = (target: Node | undefined): void => {
    if (target === undefined) return;
    if (target.type === 'Identifier') bound.add(textOf(target));
    else if (target.type === 'TupleLiteral') children(target).forEach(bind);
    else if (target.type === 'KeywordArgumentExpression') bind(child(target, 'key'));
  };
  for (const node of walk(root)) {
    if (node.type === 'Set') {
      bind(child(node, 'assignee'));
      // `{% set x %}…{% endset %}`: what stands between is put together when it is rendered.
      const isBlock = Array.isArray(node['body']) && node['body'].length > 0;
      if (isBlock || builds(child(node, 'value'), built)) built.add(textOf(child(node, 'assignee')));
    } else if (node.type === 'For') bind(child(node, 'loopvar'));
    else if (node.type === 'Macro') {
      bind(child(node, 'name'));
      if (Array.isArray(node['args'])) node['args'].forEach(bind);
    } else if (node.type === 'CallStatement' && Array.isArray(node['callerArgs'])) node['callerArgs'].forEach(bind);
  }
  return { bound, built };
};

const attribute = (name: string, computed: boolean): Objection | undefined => {
  if (name.startsWith('__') || UNSAFE_ATTRIBUTES.has(name)) {
    return object('internal', 'high', 'reaches for an attribute of Python internals', name);
  }
  if (name.startsWith('_')) {
    return object('private', computed ? 'low' : 'high', 'reaches for a private attribute', name);
  }
  return undefined;
};

const member = (node: Node, names: Names): Objection | undefined => {
  const property = child(node, 'property');
  if (node['computed'] !== true) return attribute(textOf(property), false);
  if (property?.type === 'StringLiteral') return attribute(textOf(property), true);
  if (builds(property, names.built)) {
    return object(
      'computed-attribute',
      'medium',
      'an attribute name is put together at run time',
      property?.type ?? '',
    );
  }
  return undefined;
};

const repeats = (count: number, what: string): Objection | undefined =>
  count < REPEATS
    ? undefined
    : object('repeats', count < REPEATS_FATAL ? 'low' : 'medium', `${what} ${count} times`, String(count));

const call = (node: Node, names: Names): Objection | undefined => {
  const callee = child(node, 'callee');
  const name = textOf(callee?.type === 'MemberExpression' ? child(callee, 'property') : callee);
  if (callee?.type === 'MemberExpression' && callee['computed'] !== true) {
    if (FORMATTERS.has(name)) return object('format', 'high', 'formats with a string, which can read attributes', name);
    return METHODS.has(name) || attribute(name, false) !== undefined
      ? undefined
      : object('method', 'medium', 'calls a method that is not on the list', name);
  }
  if (callee?.type !== 'Identifier') return object('call', 'high', 'calls a computed value', callee?.type ?? '');
  if (name === 'range') {
    const counts = children(node).flatMap((argument) => integerOf(argument) ?? []);
    return repeats(
      counts.reduce((most, count) => Math.max(most, Math.abs(count)), 0),
      'loops',
    );
  }
  if (FUNCTIONS.has(name) || names.bound.has(name) || GADGETS.has(name)) return undefined;
  return object('function', 'medium', 'calls a function that is not on the list', name);
};

/** A filter, given its node (`FilterExpression` or `FilterStatement`): its name and the attributes it reads. */
const filter = (node: Node): Objection | undefined => {
  const used = child(node, 'filter');
  const called = used?.type === 'CallExpression' ? used : undefined;
  const name = textOf(called ? child(called, 'callee') : used);
  if (name === 'attr') return object('attr', 'high', 'reads attributes through the attr filter', name);
  if (!FILTERS.has(name)) {
    return object('filter', name === 'format' ? 'high' : 'medium', 'uses a filter that is not on the list', name);
  }
  if (called === undefined || !ATTRIBUTE_FILTERS.has(name)) return undefined;
  const given = Array.isArray(called['args']) ? called['args'].filter(isNode) : [];
  for (const [index, argument] of given.entries()) {
    const keyed = argument.type === 'KeywordArgumentExpression';
    const value = keyed ? child(argument, 'value') : argument;
    if (keyed ? textOf(child(argument, 'key')) !== 'attribute' : index > 0) continue;
    const text = textOf(value);
    if (text.split('.').some((part) => part.startsWith('_') || UNSAFE_ATTRIBUTES.has(part))) {
      return object('internal', 'high', `reads internals of every element through ${name}`, text);
    }
    if (
      !keyed &&
      NAMING_FILTERS.has(name) &&
      value?.type === 'StringLiteral' &&
      !FILTERS.has(text) &&
      !TESTS.has(text)
    ) {
      return object('filter', 'high', `${name} applies a filter that is not on the list`, text);
    }
    const isLiteral = value?.type === 'StringLiteral' || value?.type === 'IntegerLiteral';
    if (builds(value, new Set()) || (!isLiteral && (keyed || NAMING_FILTERS.has(name))))
      return object('computed-attribute', 'medium', `${name} reads a computed attribute`, name);
  }
  return undefined;
};

const binary = (node: Node): Objection | undefined => {
  const sign = textOf(child(node, 'operator'));
  const sides = [child(node, 'left'), child(node, 'right')];
  if ((sign === '~' || sign === '+' || sign === '%') && sides.some((side) => side?.type === 'StringLiteral')) {
    const part = sides.map(textOf).find((text) => /^_{1,2}[a-z]*$|^[a-z]*__$|__[a-z]{1,30}$/.test(text));
    if (part !== undefined) return object('hidden-name', 'high', 'puts a name with underscores together', part);
  }
  if (sign !== '*' && sign !== '**') return undefined;
  const counts = sides.flatMap((side) => integerOf(side) ?? []);
  if (sign === '**' && counts.length === 2) return repeats((counts[0] ?? 0) ** (counts[1] ?? 0), 'computes a power of');
  return repeats(Math.max(0, ...counts), 'repeats');
};

/** What is to be said against one node, given the names that the template binds. */
export const judge = (node: Node, names: Names): Objection | undefined => {
  switch (node.type) {
    case 'MemberExpression':
      return member(node, names);
    case 'CallExpression':
      return call(node, names);
    case 'FilterExpression':
    case 'FilterStatement':
      return filter(node);
    case 'BinaryExpression':
      return binary(node);
    case 'TestExpression': {
      const name = textOf(child(node, 'test'));
      return TESTS.has(name) ? undefined : object('test', 'medium', 'uses a test that is not on the list', name);
    }
    case 'IntegerLiteral':
      return repeats(Math.abs(integerOf(node) ?? 0), 'names a count:');
    case 'StringLiteral':
      return /%[-+ #0]{0,4}[0-9]{6}/.test(textOf(node)) ? repeats(REPEATS_FATAL, 'pads to over') : undefined;
    case 'Identifier': {
      const name = textOf(node);
      return name.startsWith('__') ? object('internal', 'high', 'names a Python internal', name) : undefined;
    }
    default:
      return undefined;
  }
};

/** Loops inside loops: their counts multiply. Loops side by side are taken for nested ones, since few templates count. */
export const nestedLoops = (root: Node): Objection[] => {
  let product = 1;
  for (const node of walk(root)) {
    if (node.type !== 'CallExpression' || textOf(child(node, 'callee')) !== 'range') continue;
    const most = children(node).reduce((found, argument) => Math.max(found, integerOf(argument) ?? 1), 1);
    product = Math.min(product * most, Number.MAX_SAFE_INTEGER);
  }
  const found = product < REPEATS_FATAL ? undefined : repeats(product, 'loops');
  return found === undefined ? [] : [found];
};

/** The gadget objects that a template reaches for: free names only, never attribute names or names it binds itself. */
export const gadgets = (root: Node, names: Names): Objection[] => {
  const found: Objection[] = [];
  for (const node of walk(root)) {
    if (node.type !== 'Identifier') continue;
    const name = textOf(node);
    if (GADGETS.has(name) && !names.bound.has(name)) {
      found.push(object('gadget', 'high', 'uses an object that leads to the interpreter', name));
    }
  }
  return found;
};
