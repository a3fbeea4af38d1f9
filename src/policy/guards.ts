import type { ASTNode } from '@marcbachmann/cel-js';
import { CONTENTS } from '../formats/format.ts';
import { compileRe2 } from './environment.ts';
import { isGlob } from './glob.ts';

/** A loop in a loop over 1000 findings is a million steps; one more level would be a thousand million. */
const MAX_NESTING = 2;
/** Loops in loops in one expression. */
const MAX_NESTED_LOOPS = 4;

const LOOPS: ReadonlySet<string> = new Set(['exists', 'all', 'exists_one', 'filter', 'map']);
const PATTERNS: ReadonlySet<string> = new Set(['glob', 're2']);
/** Functions whose cost and result are bounded by their input. Everything else of CEL is refused. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...LOOPS,
  ...PATTERNS,
  'startsWith',
  'endsWith',
  'contains',
  'lowerAscii',
  'upperAscii',
  'trim',
  'size',
  'has',
  'int',
  'double',
  'string',
]);

/** Fields with a closed set of values: a comparison with any other is a slip that would never match. */
export const CLOSED: Readonly<Record<string, readonly string[]>> = {
  stage: ['request', 'content'],
  'artefact.content': ['', ...CONTENTS],
  'coverage.state': ['complete', 'partial', 'opaque'],
  'lineage.confidence': ['none', 'structure', 'sampled values', 'digests'],
};

export type Complaint = { readonly message: string; readonly character: number };

/**
 * What is wrong with an expression beyond its types: functions whose cost is not bounded (`matches` is a backtracking
 * regular expression: 27 characters can cost 9 s), loops nested too deep, patterns that are not literals, and
 * comparisons that can never be true.
 */
export const complaintsAbout = (root: ASTNode): readonly Complaint[] => {
  const complaints: Complaint[] = [];
  let nestedLoops = 0;
  const complain = (node: ASTNode, message: string): void => {
    complaints.push({ message, character: node.start });
  };

  const walk = (node: ASTNode, loops: number): void => {
    if (node.op === 'call') {
      checkFunction(node, node.args[0], node.args[1]);
      for (const argument of node.args[1]) walk(argument, loops);
    } else if (node.op === 'rcall') {
      const [name, receiver, parameters] = node.args;
      checkFunction(node, name, parameters);
      walk(receiver, loops);
      const inside = LOOPS.has(name) ? loops + 1 : loops;
      if (LOOPS.has(name)) checkLoop(node, receiver, inside);
      for (const parameter of parameters) walk(parameter, inside);
    } else {
      checkComparison(node);
      for (const child of children(node)) walk(child, loops);
    }
  };

  const checkFunction = (node: ASTNode, name: string, parameters: readonly ASTNode[]): void => {
    if (name === 'matches') complain(node, 'matches() can take for ever; use re2(), which is linear');
    else if (!FUNCTIONS.has(name)) complain(node, `the function ${name}() is not available in policies`);
    else if (PATTERNS.has(name)) {
      const pattern = parameters[0];
      const problem = patternProblem(name, pattern?.op === 'value' ? pattern.args : undefined);
      if (problem !== undefined) complain(pattern ?? node, problem);
    }
  };

  const checkLoop = (node: ASTNode, receiver: ASTNode, depth: number): void => {
    if (depth > MAX_NESTING) complain(node, `loops are nested deeper than ${MAX_NESTING}`);
    else if (depth === MAX_NESTING) {
      nestedLoops += 1;
      if (nestedLoops > MAX_NESTED_LOOPS) complain(node, `more than ${MAX_NESTED_LOOPS} loops inside loops`);
    }
    if (!isBoundedList(receiver))
      complain(receiver, 'a loop runs over a list of the facts, a filter of one, or a literal list');
  };

  const checkComparison = (node: ASTNode): void => {
    if (node.op !== '==' && node.op !== '!=' && node.op !== 'in') return;
    const [left, right] = node.args;
    const values = CLOSED[pathOf(left) ?? ''];
    if (values === undefined) return;
    for (const literal of right.op === 'list' ? right.args : [right]) {
      if (literal.op === 'value' && typeof literal.args === 'string' && !values.includes(literal.args)) {
        complain(
          literal,
          `${pathOf(left)} is never "${literal.args}"; it is one of ${values.filter(Boolean).join(', ')}`,
        );
      }
    }
  };

  walk(root, 0);
  return complaints;
};

const patternProblem = (name: string, pattern: unknown): string | undefined => {
  if (typeof pattern !== 'string') return `the pattern of ${name}() must be a literal text`;
  if (name === 'glob') return isGlob(pattern) ? undefined : 'expected a glob of 1 to 256 characters';
  try {
    compileRe2(pattern);
    return undefined;
  } catch (error) {
    return `not an RE2 pattern: ${error instanceof Error ? error.message : String(error)}`;
  }
};

/** True for lists that are no longer than the facts: sums and products of lists could be. */
const isBoundedList = (node: ASTNode): boolean => {
  if (node.op === 'list') return true;
  if (node.op === 'rcall') return (node.args[0] === 'filter' || node.args[0] === 'map') && isBoundedList(node.args[1]);
  return pathOf(node) !== undefined;
};

/** `artefact.content` for a chain of names; undefined for anything else. */
const pathOf = (node: ASTNode): string | undefined => {
  if (node.op === 'id') return node.args;
  if (node.op !== '.') return undefined;
  const before = pathOf(node.args[0]);
  return before === undefined ? undefined : `${before}.${node.args[1]}`;
};

const isAstNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;

/** The operands of any node but a call: a node, a list of nodes, or pairs of them. */
export const children = (node: ASTNode): readonly ASTNode[] => {
  const operands: readonly unknown[] = Array.isArray(node.args) ? node.args.flat() : [node.args];
  return operands.filter(isAstNode);
};
