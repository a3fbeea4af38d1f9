import type { ASTNode, Environment, ParseResult } from '@marcbachmann/cel-js';
import { oneOfEachKind, seesOnlyKinds } from './distinct.ts';
import { complaintsAbout } from './guards.ts';
import type { PlacedDocument } from './places.ts';
import type { When } from './schema.ts';
import type { Problem } from './types.ts';

/** Conditions inside `all`, `any` and `not`. */
const MAX_WHEN_DEPTH = 8;

/** What a condition is evaluated against: the facts with integers as bigint. */
export type Values = Record<string, unknown>;

/** One CEL expression, ready to run. */
export type Leaf = {
  readonly text: string;
  /** `file:line:column`. */
  readonly at: string;
  readonly ast: ASTNode;
  /** Throws when the expression cannot be evaluated for these facts. */
  holds(values: Values): boolean;
};

export type Condition =
  | { readonly kind: 'leaf'; readonly leaf: Leaf }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: readonly [Condition] };

type Compiled<T> = { readonly value?: T; readonly problems: readonly Problem[] };
type Step = string | number;

/** Parses, guards and type-checks one expression that stands at `path` of `document`. */
export const compileExpression = (
  environment: Environment,
  text: string,
  document: PlacedDocument,
  path: readonly Step[],
): Compiled<{ run: ParseResult; type: string }> => {
  const checked = environment.check(text);
  if (!checked.valid) {
    const { error } = checked;
    const message = error?.summary ?? 'not a CEL expression';
    // `matches(...)` and its like are refused for what they are before their types are looked at.
    const guarded = guard(environment, text);
    if (guarded.length > 0) return { problems: complain(guarded, document, path) };
    return { problems: [document.problem(message, path, { character: error?.range?.start ?? 0 })] };
  }
  const run = environment.parse(text);
  const complaints = complaintsAbout(run.ast);
  if (complaints.length > 0) return { problems: complain(complaints, document, path) };
  return { value: { run, type: checked.type ?? 'dyn' }, problems: [] };
};

const complain = (
  complaints: ReturnType<typeof complaintsAbout>,
  document: PlacedDocument,
  path: readonly Step[],
): readonly Problem[] => complaints.map(({ message, character }) => document.problem(message, path, { character }));

const guard = (environment: Environment, text: string): ReturnType<typeof complaintsAbout> => {
  let ast: ASTNode;
  try {
    ast = environment.parse(text).ast;
  } catch {
    return [];
  }
  return complaintsAbout(ast);
};

/** Compiles a `when`. */
export const compileWhen = (
  environment: Environment,
  when: When,
  document: PlacedDocument,
  path: readonly Step[],
  depth = 0,
): Compiled<Condition> => {
  if (depth > MAX_WHEN_DEPTH) {
    return { problems: [document.problem(`conditions are nested deeper than ${MAX_WHEN_DEPTH}`, path)] };
  }
  if (typeof when === 'string') return compileLeaf(environment, when, document, path);
  if ('not' in when) {
    const inner = compileWhen(environment, when.not, document, [...path, 'not'], depth + 1);
    if (inner.value === undefined) return { problems: inner.problems };
    return { value: { kind: 'not', of: [inner.value] }, problems: inner.problems };
  }
  const [kind, parts] = 'all' in when ? (['all', when.all] as const) : (['any', when.any] as const);
  const compiled = parts.map((part, index) =>
    compileWhen(environment, part, document, [...path, kind, index], depth + 1),
  );
  const problems = compiled.flatMap((part) => part.problems);
  const of = compiled.flatMap((part) => (part.value === undefined ? [] : [part.value]));
  return of.length === parts.length ? { value: { kind, of }, problems } : { problems };
};

const compileLeaf = (
  environment: Environment,
  text: string,
  document: PlacedDocument,
  path: readonly Step[],
): Compiled<Condition> => {
  const { value, problems } = compileExpression(environment, text, document, path);
  if (value === undefined) return { problems };
  if (value.type !== 'bool') {
    return { problems: [document.problem(`expected a condition of type bool, found ${value.type}`, path)] };
  }
  const { path: file, line, column } = document.problem('', path);
  const blind = seesOnlyKinds(value.run.ast);
  const holds = (values: Values): boolean => {
    const result: unknown = value.run(blind ? oneOfEachKind(values) : values);
    if (typeof result !== 'boolean') throw new TypeError(`the condition gave ${typeof result}, not bool`);
    return result;
  };
  const leaf = { text: text.trim(), at: `${file}:${line}:${column}`, ast: value.run.ast, holds };
  return { value: { kind: 'leaf', leaf }, problems };
};

/** Every expression of a condition, in order. */
export const leavesOf = (condition: Condition): readonly Leaf[] =>
  condition.kind === 'leaf' ? [condition.leaf] : condition.of.flatMap(leavesOf);

/** Evaluates from left to right and stops as soon as the answer is known. Throws what an expression throws. */
export const holds = (condition: Condition, values: Values): boolean => {
  if (condition.kind === 'leaf') return condition.leaf.holds(values);
  if (condition.kind === 'not') return !holds(condition.of[0], values);
  if (condition.kind === 'all') return condition.of.every((part) => holds(part, values));
  return condition.of.some((part) => holds(part, values));
};
