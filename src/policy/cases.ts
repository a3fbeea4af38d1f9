import type { z } from 'zod';
import { factsSchema } from './facts-schema.ts';
import { type PlacedDocument, parsePlaced } from './places.ts';
import { type Expectation, testSchema } from './test-schema.ts';
import type { Facts, Problem } from './types.ts';

/** One test of a policy set: facts, and what must be decided on them. */
export type Case = {
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly facts: Facts;
  /** The moment of the decision, ms since the epoch. */
  readonly now: number;
  readonly expected: Expectation;
};

type Step = string | number;

/**
 * Reads files of tests (path → text). `now` (ms since the epoch) is the moment for documents that name none. What is
 * wrong is in `problems`, each with its place; a name that is used twice in a file is an error, since reports go by it.
 */
export const readCases = (
  files: Readonly<Record<string, string>>,
  now: number,
): { readonly cases: readonly Case[]; readonly problems: readonly Problem[] } => {
  const problems: Problem[] = [];
  const cases = Object.keys(files)
    .sort()
    .flatMap((file) => {
      const parsed = parsePlaced(file, files[file] ?? '');
      problems.push(...parsed.problems);
      const names = new Set<string>();
      return parsed.documents.flatMap((document) => readDocument(document, now, names, problems));
    });
  return { cases, problems };
};

const readDocument = (
  document: PlacedDocument,
  present: number,
  names: Set<string>,
  problems: Problem[],
): readonly Case[] => {
  const result = testSchema.safeParse(document.value);
  if (!result.success) {
    problems.push(...word(document, result.error.issues, []));
    return [];
  }
  const { given = {}, cases, now } = result.data;
  return cases.flatMap((each, index) => {
    const at = ['cases', index];
    if (names.has(each.name)) problems.push(document.problem('a case of this name is there already', [...at, 'name']));
    names.add(each.name);
    const facts = factsSchema.safeParse(merged(given, each.facts ?? {}));
    if (!facts.success) {
      problems.push(...word(document, facts.error.issues, [...at, 'facts']));
      return [];
    }
    const { path, line, column } = document.problem('', at);
    const when = now === undefined ? present : Date.parse(now);
    return [{ name: each.name, path, line, column, facts: facts.data, now: when, expected: each.expect }];
  });
};

const word = (document: PlacedDocument, issues: readonly z.core.$ZodIssue[], at: readonly Step[]): Problem[] =>
  issues.flatMap((issue) => {
    const inside = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const path = [...at, ...inside];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => document.problem(`unknown key ${JSON.stringify(key)}`, path, { key }));
    }
    const named = at.length === 0 ? '' : `${['facts', ...inside].join('.')}: `;
    return [document.problem(`${named}${issue.message}`, path)];
  });

type Tree = Readonly<Record<string, unknown>>;

/** `under` with what `over` says: maps are joined, everything else is replaced. Both come from YAML without aliases. */
const merged = (under: Tree, over: Tree): Tree => {
  const joined = new Map(Object.entries(under));
  for (const [name, value] of Object.entries(over)) {
    const before = joined.get(name);
    joined.set(name, isTree(before) && isTree(value) ? merged(before, value) : value);
  }
  return Object.fromEntries(joined);
};

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
