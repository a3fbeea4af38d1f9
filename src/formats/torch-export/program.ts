import type { Budget } from '../../bytes/limits.ts';
import { type Context, printable, type Severity } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';
import { notArithmetic } from './expressions.ts';
import { judgeCalled } from './targets.ts';

/** Findings of one program; more say nothing new. */
const FINDINGS = 50;

/**
 * Walks the JSON of an exported program (torch/_export/serde/schema.py): every function that a node calls, every
 * expression that the loader evaluates, every guard that it compiles, wherever they stand.
 */
export const judgeProgram = (root: JsonValue, context: Context, budget: Budget): { readonly nodes: number } => {
  let [nodes, told] = [0, 0];
  const say = (rule: string, severity: Severity, message: string, offset: number, evidence: string): void => {
    told += 1;
    if (told > FINDINGS) return;
    const refs = ['CWE-95', 'CWE-470'];
    context.report({ rule: `torch-export.${rule}`, severity, message, offset, evidence: printable(evidence), refs });
  };
  const called = (target: string, at: number): void => {
    const verdict = judgeCalled(target);
    if (verdict) say('operator', verdict.severity, `a node calls what ${verdict.why}`, at, target);
  };
  const visit = ({ entries, at }: JsonObject): void => {
    const target = entries.get('target');
    if (typeof target === 'string' && entries.has('inputs')) {
      nodes += 1;
      called(target, at);
    }
    const operator = entries.get('as_operator');
    if (typeof operator === 'string') called(operator, at);
    const expression = entries.get('expr_str');
    if (entries.has('expr_str')) {
      const why = typeof expression === 'string' ? notArithmetic(expression) : 'it is no text';
      if (why !== undefined)
        say('expression', 'high', `an expression that the loader evaluates: ${why}`, at, shown(expression));
    }
    const guards = entries.get('guards_code');
    for (const guard of isList(guards) ? guards : []) {
      const why = typeof guard === 'string' ? notArithmetic(guard, true) : 'it is no text';
      if (why !== undefined) say('guard', 'high', `a guard that the loader runs as Python: ${why}`, at, shown(guard));
    }
  };
  const waiting: JsonValue[] = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    budget.spend('steps', 1 / 4);
    const inner = isList(next) ? next : isObject(next) ? [...next.entries.values()] : [];
    if (isObject(next)) visit(next);
    for (const value of inner) if (typeof value === 'object' && value !== null) waiting.push(value);
  }
  return { nodes };
};

const shown = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : typeof value);
