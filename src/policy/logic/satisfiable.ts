import { SEVERITIES } from '../../formats/format.ts';
import { CLOSED } from '../guards.ts';
import { type Formula, type Literal, negated } from './formula.ts';

/** Steps that all questions about one policy set may take together; one of 200 rules takes some hundred thousand. */
const MAX_STEPS = 5_000_000;

/** Steps that are left. When they are used up, every answer is the cautious one. */
export type Effort = { steps: number };

export const newEffort = (): Effort => ({ steps: MAX_STEPS });

/**
 * False only when no facts at all make the formula true: then it is certain. True may also mean that it is not known
 * (expressions that are looked at as a whole, too much work).
 */
export const isSatisfiable = (formula: Formula, effort: Effort): boolean => search([formula], [], effort);

/** True only when every facts that make `one` true make `other` true. */
export const implies = (one: Formula, other: Formula, effort: Effort): boolean =>
  !search([one, negated(other)], [], effort);

/** Whether the open formulas can be true together with the literals that are taken to be true. */
const search = (open: readonly Formula[], taken: readonly Literal[], effort: Effort): boolean => {
  effort.steps -= 1 + taken.length;
  if (effort.steps < 0) return true;
  const [first, ...rest] = open;
  if (first === undefined) return true;
  if (first.kind === 'all') return search([...first.of, ...rest], taken, effort);
  // Alternatives wait until what is certain has been taken: most of them fall at once then.
  if (first.kind === 'any' && rest.some(({ kind }) => kind !== 'any')) {
    const certain = rest.filter(({ kind }) => kind !== 'any');
    return search([...certain, first, ...rest.filter(({ kind }) => kind === 'any')], taken, effort);
  }
  if (first.kind === 'any') return first.of.some((part) => search([part, ...rest], taken, effort));
  const all = [...taken, first];
  return isConsistent(first, all, effort) && search(rest, all, effort);
};

/** Whether the literals can be true together, as far as the one that came last can have changed that. */
const isConsistent = (last: Literal, all: readonly Literal[], effort: Effort): boolean => {
  const same = all.filter(({ kind, of }) => kind === last.kind && of === last.of);
  switch (last.kind) {
    case 'flag':
      return same.every((each) => each.kind !== 'flag' || each.positive === last.positive);
    case 'text':
      return hasText(
        last.of,
        same.flatMap((each) => (each.kind === 'text' ? [each] : [])),
      );
    case 'number':
      return hasNumber(
        last.of,
        same.flatMap((each) => (each.kind === 'number' ? [each] : [])),
      );
    case 'some':
      return hasItems(
        same.flatMap((each) => (each.kind === 'some' ? [each] : [])),
        effort,
      );
  }
};

const hasText = (of: string, literals: readonly Extract<Literal, { kind: 'text' }>[]): boolean => {
  const allowed = literals.filter(({ positive }) => positive).map(({ values }) => values);
  const closed = CLOSED[of];
  const candidates = closed ?? allowed[0];
  // Without a list of what it may be there is always another text.
  if (candidates === undefined) return true;
  return [...candidates].some((text) => literals.every(({ values, positive }) => values.has(text) === positive));
};

const hasNumber = (of: string, literals: readonly Extract<Literal, { kind: 'number' }>[]): boolean => {
  const values = literals.map(({ value }) => value).sort((a, b) => a - b);
  const ranks = /^@\d+\.severity$/.test(of) ? SEVERITIES.map((_, rank) => rank) : undefined;
  // Truth changes only at the values compared with: these, one between each two, and one beyond either end tell all.
  const between = values.slice(1).map((value, index) => (value + (values[index] ?? value)) / 2);
  const ends = [(values[0] ?? 0) - 1, (values.at(-1) ?? 0) + 1];
  return (ranks ?? [...values, ...between, ...ends]).some((candidate) =>
    literals.every(({ relation, value }) => holds(candidate, relation, value)),
  );
};

const holds = (left: number, relation: Extract<Literal, { kind: 'number' }>['relation'], right: number): boolean => {
  if (relation === '<') return left < right;
  if (relation === '<=') return left <= right;
  if (relation === '>') return left > right;
  if (relation === '>=') return left >= right;
  return (left === right) === (relation === '==');
};

/** Every item that must be there can be such, though none may be what is ruled out. */
const hasItems = (literals: readonly Extract<Literal, { kind: 'some' }>[], effort: Effort): boolean => {
  const none = literals.filter(({ positive }) => !positive).map(({ body }) => negated(body));
  return literals.filter(({ positive }) => positive).every(({ body }) => search([body, ...none], [], effort));
};
