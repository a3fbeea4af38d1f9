import type { Environment, ParseResult } from '@marcbachmann/cel-js';
import { type Condition, compileExpression, compileWhen, type Values } from './conditions.ts';
import { compileGlob } from './glob.ts';
import type { PlacedDocument } from './places.ts';
import type { PolicyDocument, RuleDocument } from './schema.ts';
import type { Action, Facts, Obligations, Problem } from './types.ts';

export type Rule = {
  /** `<policy>/<rule>`. */
  readonly name: string;
  readonly action: Action;
  readonly condition: Condition;
  readonly message: string;
  readonly remediation: string | undefined;
  readonly onError: 'deny' | 'quarantine';
  readonly obligations: Obligations;
  /** People who must approve what it held. */
  readonly approvals?: number;
  /** ms after which what it holds is let go. */
  readonly autoRelease?: number;
};

export type Policy = {
  readonly id: string;
  readonly mode: 'enforce' | 'audit';
  readonly owner: string | undefined;
  readonly rules: readonly Rule[];
  applies(facts: Facts): boolean;
  /** The values with this policy's `vars`. Throws when a variable cannot be evaluated. */
  withVars(values: Values): Values;
};

/** Compiles one policy document. The policy is missing when it is off, or when there are errors. */
export const compilePolicy = (
  environment: Environment,
  document: PlacedDocument,
  source: PolicyDocument,
): { readonly policy?: Policy; readonly problems: readonly Problem[] } => {
  const { metadata, mode } = source;
  const vars = compileVars(environment, document, source);
  const scope = vars.scope;
  const compiled = source.rules.map((rule, index) => ({
    rule,
    index,
    condition: compileWhen(scope, rule.when, document, ['rules', index, 'when']),
  }));
  const problems = [
    ...vars.problems,
    ...compiled.flatMap(({ condition }) => condition.problems),
    ...duplicates(document, source.rules),
  ];
  if (problems.length > 0 || mode === 'off') return { problems };
  const rules = compiled.flatMap(({ rule, condition }) =>
    condition.value === undefined ? [] : [toRule(metadata.id, rule, condition.value)],
  );
  const policy: Policy = {
    id: metadata.id,
    mode: mode === 'enforce' ? 'enforce' : 'audit',
    owner: metadata.owner,
    rules,
    applies: compileMatch(source),
    withVars(values) {
      if (vars.runs.length === 0) return values;
      const results = Object.fromEntries(vars.runs.map(({ name, run }) => [name, run(values)]));
      return { ...values, vars: results };
    },
  };
  return { policy, problems: [] };
};

const toRule = (policy: string, rule: RuleDocument, condition: Condition): Rule => ({
  name: `${policy}/${rule.id}`,
  action: rule.action,
  condition,
  message: rule.message,
  remediation: rule.remediation,
  onError: rule.onError,
  obligations: {
    ...(rule.obligations?.notice === undefined ? {} : { notice: rule.obligations.notice }),
    ...(rule.obligations?.release === undefined ? {} : { release: rule.obligations.release }),
    ...(rule.obligations?.rows === undefined ? {} : { rows: rule.obligations.rows }),
  },
  ...(rule.obligations?.approvals === undefined ? {} : { approvals: rule.obligations.approvals }),
  ...(rule.obligations?.autoRelease === undefined ? {} : { autoRelease: lengthOf(rule.obligations.autoRelease) }),
});

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** ms of a time such as 72h, as the schema lets it through. */
const lengthOf = (written: string): number => Number.parseInt(written, 10) * (UNITS[written.at(-1) ?? ''] ?? 0);

const duplicates = (document: PlacedDocument, rules: readonly RuleDocument[]): Problem[] =>
  rules.flatMap(({ id }, index) =>
    rules.findIndex((rule) => rule.id === id) === index
      ? []
      : [document.problem(`the rule id ${id} is used twice`, ['rules', index, 'id'])],
  );

/** `vars` are typed like everything else: a rule that misspells one does not load. */
const compileVars = (
  environment: Environment,
  document: PlacedDocument,
  source: PolicyDocument,
): { scope: Environment; runs: { name: string; run: ParseResult }[]; problems: Problem[] } => {
  const runs: { name: string; run: ParseResult }[] = [];
  const problems: Problem[] = [];
  const schema: Record<string, string> = {};
  for (const [name, text] of Object.entries(source.vars ?? {})) {
    const compiled = compileExpression(environment, text, document, ['vars', name]);
    problems.push(...compiled.problems);
    if (compiled.value === undefined) continue;
    runs.push({ name, run: compiled.value.run });
    schema[name] = compiled.value.type;
  }
  if (runs.length === 0) return { scope: environment, runs, problems };
  return { scope: environment.clone().registerVariable('vars', { schema }), runs, problems };
};

/**
 * The cheap filter before any condition. A policy for stage `request` holds at stage `content` as well: everything that
 * was known is still known.
 */
const compileMatch = ({ match = {} }: PolicyDocument): ((facts: Facts) => boolean) => {
  const { ecosystems, repos, exclude, clients, stages } = match;
  const early = stages?.includes('request') ?? false;
  const any = (globs: readonly string[] | undefined, otherwise: boolean): ((text: string) => boolean) => {
    if (globs === undefined) return () => otherwise;
    const tests = globs.map(compileGlob);
    return (text) => tests.some((test) => test(text));
  };
  const inEcosystems = any(ecosystems, true);
  const inRepos = any(repos, true);
  const excluded = any(exclude, false);
  const forClients = any(clients, true);
  return ({ stage, artefact, client }) =>
    (stage === 'content' || early) &&
    inEcosystems(artefact.ecosystem) &&
    inRepos(artefact.repo) &&
    !excluded(artefact.repo) &&
    forClients(client.name);
};
