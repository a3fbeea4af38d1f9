/** A statement about one thing that conditions look at; `of` is what it is about, in canonical text. */
export type Literal =
  /** A text is one of these. */
  | { readonly kind: 'text'; readonly of: string; readonly values: ReadonlySet<string>; readonly positive: boolean }
  | { readonly kind: 'number'; readonly of: string; readonly relation: Relation; readonly value: number }
  /** Any other expression of type bool: nothing is known of it but that it is true or not. */
  | { readonly kind: 'flag'; readonly of: string; readonly positive: boolean }
  /** Some item of a list is such; not positive: none is. */
  | { readonly kind: 'some'; readonly of: string; readonly body: Formula; readonly positive: boolean };

export type Relation = '<' | '<=' | '>' | '>=' | '==' | '!=';

/** A condition with its negations pushed down to the literals. `all` of nothing is true, `any` of nothing is false. */
export type Formula =
  | Literal
  | { readonly kind: 'all'; readonly of: readonly Formula[] }
  | { readonly kind: 'any'; readonly of: readonly Formula[] };

export const TRUE: Formula = { kind: 'all', of: [] };
export const FALSE: Formula = { kind: 'any', of: [] };

const OPPOSITE: Readonly<Record<Relation, Relation>> = {
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  '==': '!=',
  '!=': '==',
};

/** The formula that is true where this one is false. */
export const negated = (formula: Formula): Formula => {
  if (formula.kind === 'all') return { kind: 'any', of: formula.of.map(negated) };
  if (formula.kind === 'any') return { kind: 'all', of: formula.of.map(negated) };
  if (formula.kind === 'number') return { ...formula, relation: OPPOSITE[formula.relation] };
  return { ...formula, positive: !formula.positive };
};
