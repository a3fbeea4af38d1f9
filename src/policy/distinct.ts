import type { ASTNode } from '@marcbachmann/cel-js';
import type { Values } from './conditions.ts';
import { children } from './guards.ts';

/** Loops that say the same of a list however often each of its items stands in it. */
const BLIND: ReadonlySet<string> = new Set(['exists', 'all']);
const LOOPS: ReadonlySet<string> = new Set([...BLIND, 'exists_one', 'filter', 'map']);
/** What they may look at of a finding. A crowd of findings has few rules, and each rule few severities. */
const FIELDS: ReadonlySet<string> = new Set(['rule', 'severity']);
const LIST = 'findings';

/** Whether an expression can tell findings of the same rule and severity apart, or count them. False when in doubt. */
export const seesOnlyKinds = (root: ASTNode): boolean => {
  /** `items` are the names under which findings are known at this place. */
  const sees = (node: ASTNode, items: ReadonlySet<string>): boolean => {
    if (node.op === 'id') return node.args !== LIST && !items.has(node.args);
    if (node.op === '.' && node.args[0].op === 'id' && items.has(node.args[0].args)) return FIELDS.has(node.args[1]);
    if (node.op !== 'rcall' || !LOOPS.has(node.args[0])) return children(node).every((child) => sees(child, items));
    const [name, receiver, [variable, ...bodies]] = node.args;
    // Another thing of the same name, or none at all: nothing is known.
    if (variable?.op !== 'id' || variable.args === LIST || items.has(variable.args)) return false;
    const overFindings = receiver.op === 'id' && receiver.args === LIST;
    if (overFindings ? !BLIND.has(name) : !sees(receiver, items)) return false;
    const inside = overFindings ? new Set([...items, variable.args]) : items;
    return bodies.every((body) => sees(body, inside));
  };
  return sees(root, new Set());
};

const kinds = new WeakMap<object, readonly unknown[]>();

/** The same values with one finding of each rule and severity, the first: that of `seesOnlyKinds` gives the same with them. */
export const oneOfEachKind = (values: Values): Values => {
  const all: unknown = values[LIST];
  if (!Array.isArray(all) || all.length < 2) return values;
  const known = kinds.get(all) ?? distinct(all);
  kinds.set(all, known);
  return known.length === all.length ? values : { ...values, [LIST]: known };
};

const distinct = (all: readonly Values[]): readonly Values[] => {
  const first = new Map<string, Values>();
  for (const finding of all) {
    const kind = `${String(finding['severity'])} ${String(finding['rule'])}`;
    if (!first.has(kind)) first.set(kind, finding);
  }
  return [...first.values()];
};
