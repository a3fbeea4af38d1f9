import type { ASTNode } from '@marcbachmann/cel-js';
import { SEVERITIES } from '../../formats/format.ts';
import type { Condition } from '../conditions.ts';
import { FALSE, type Formula, negated, type Relation, TRUE } from './formula.ts';

/** Names of loop variables, the outermost first: two loops that differ in the name alone are the same. */
type Scope = readonly string[];

/** A condition as a formula. What cannot be looked into becomes a flag that is named by its canonical text. */
export const formulaOf = (condition: Condition): Formula => {
  if (condition.kind === 'leaf') return translate(condition.leaf.ast, []);
  if (condition.kind === 'not') return negated(formulaOf(condition.of[0]));
  return { kind: condition.kind, of: condition.of.map(formulaOf) };
};

const FALLIBLE: ReadonlySet<string> = new Set(['[]', '[?]', '+', '-', '*', '/', '%', '-_']);
const FALLIBLE_CALLS: ReadonlySet<unknown> = new Set(['int', 'double']);

/** Whether an expression of it may fail for some facts (an index outside a list, an overflow): then `onError` speaks. */
export const mayFail = (condition: Condition): boolean =>
  condition.kind === 'leaf' ? fails(condition.leaf.ast) : condition.of.some(mayFail);

const fails = (node: ASTNode): boolean => {
  const operands: readonly unknown[] = Array.isArray(node.args) ? node.args.flat() : [node.args];
  const itself = FALLIBLE.has(node.op) && !(node.op === '-_' && literal(node, []) !== undefined);
  const called = (node.op === 'call' || node.op === 'rcall') && FALLIBLE_CALLS.has(node.args[0]);
  return itself || called || operands.filter(isNode).some(fails);
};

const translate = (node: ASTNode, scope: Scope): Formula => {
  switch (node.op) {
    case 'value':
      return node.args === true ? TRUE : node.args === false ? FALSE : flag(node, scope);
    case '&&':
      return { kind: 'all', of: node.args.map((part) => translate(part, scope)) };
    case '||':
      return { kind: 'any', of: node.args.map((part) => translate(part, scope)) };
    case '!_':
      return negated(translate(node.args, scope));
    case '?:':
      return choice(node.args, scope);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(node, node.op, node.args, scope);
    case 'in':
      return membership(node, node.args, scope);
    case 'rcall':
      return loop(node, node.args, scope);
    default:
      return flag(node, scope);
  }
};

const flag = (node: ASTNode, scope: Scope): Formula => ({ kind: 'flag', of: canonical(node, scope), positive: true });

const choice = ([condition, yes, no]: readonly [ASTNode, ASTNode, ASTNode], scope: Scope): Formula => {
  const asked = translate(condition, scope);
  return {
    kind: 'any',
    of: [
      { kind: 'all', of: [asked, translate(yes, scope)] },
      { kind: 'all', of: [negated(asked), translate(no, scope)] },
    ],
  };
};

/** The relation as it reads from the other side. */
const TURNED: Readonly<Record<Relation, Relation>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
};

const comparison = (
  node: ASTNode,
  relation: Relation,
  [left, right]: readonly [ASTNode, ASTNode],
  scope: Scope,
): Formula => {
  const value = literal(right, scope);
  if (value !== undefined) return compared(node, left, relation, value, scope);
  const turned = literal(left, scope);
  if (turned !== undefined) return compared(node, right, TURNED[relation], turned, scope);
  return flag(node, scope);
};

const compared = (
  node: ASTNode,
  what: ASTNode,
  relation: Relation,
  value: string | number | boolean,
  scope: Scope,
): Formula => {
  const of = canonical(what, scope);
  if (typeof value === 'number') return { kind: 'number', of, relation, value };
  if (relation !== '==' && relation !== '!=') return flag(node, scope);
  const positive = relation === '==';
  if (typeof value === 'string') return { kind: 'text', of, values: new Set([value]), positive };
  const asked = translate(what, scope);
  return value === positive ? asked : negated(asked);
};

const membership = (node: ASTNode, [what, list]: readonly [ASTNode, ASTNode], scope: Scope): Formula => {
  const of = canonical(what, scope);
  const values = list.op === 'list' ? list.args.map((item) => literal(item, scope)) : [undefined];
  const texts = values.filter((value) => typeof value === 'string');
  if (texts.length === values.length) return { kind: 'text', of, values: new Set(texts), positive: true };
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length !== values.length) return flag(node, scope);
  return { kind: 'any', of: numbers.map((value) => ({ kind: 'number', of, relation: '==', value })) };
};

const loop = (
  node: ASTNode,
  [name, list, [variable, body]]: readonly [string, ASTNode, readonly ASTNode[]],
  scope: Scope,
): Formula => {
  const known = (name === 'exists' || name === 'all') && variable?.op === 'id' && body !== undefined;
  if (!known || variable.op !== 'id') return flag(node, scope);
  const inner = translate(body, [...scope, variable.args]);
  const of = canonical(list, scope);
  if (name === 'exists') return { kind: 'some', of, body: inner, positive: true };
  return { kind: 'some', of, body: negated(inner), positive: false };
};

const RANKS: ReadonlyMap<string, number> = new Map(SEVERITIES.map((severity, index) => [severity, index]));

/** The value that an expression always has; severities have theirs. */
const literal = (node: ASTNode, scope: Scope): string | number | boolean | undefined => {
  if (node.op === '-_') {
    const value = literal(node.args, scope);
    return typeof value === 'number' ? -value : undefined;
  }
  if (node.op === 'id' && !scope.includes(node.args)) {
    return RANKS.get(node.args);
  }
  if (node.op !== 'value') return undefined;
  // Beyond 2^53 two integers may become one number: those are not compared.
  if (typeof node.args === 'bigint') return Number.isSafeInteger(Number(node.args)) ? Number(node.args) : undefined;
  const { args } = node;
  return typeof args === 'string' || typeof args === 'number' || typeof args === 'boolean' ? args : undefined;
};

/** One text for expressions that differ in spacing, parentheses and names of loop variables only. */
export const canonical = (node: ASTNode, scope: Scope): string => {
  if (node.op === 'id') {
    const depth = scope.lastIndexOf(node.args);
    return depth < 0 ? node.args : `@${depth}`;
  }
  if (node.op === '.') return `${canonical(node.args[0], scope)}.${node.args[1]}`;
  if (node.op === 'value') return typeof node.args === 'string' ? JSON.stringify(node.args) : `${String(node.args)}`;
  if (node.op === 'rcall') {
    const [name, receiver, parameters] = node.args;
    const [variable] = parameters;
    const binds = ['exists', 'all', 'exists_one', 'filter', 'map'].includes(name) && variable?.op === 'id';
    const inside = binds ? [...scope, variable.args] : scope;
    return `${canonical(receiver, scope)}.${name}(${parameters.map((each) => canonical(each, inside)).join()})`;
  }
  const operands: readonly unknown[] = Array.isArray(node.args) ? node.args.flat() : [node.args];
  return `${node.op}(${operands.map((each) => (isNode(each) ? canonical(each, scope) : String(each))).join()})`;
};

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
