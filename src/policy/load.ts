import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import { compilePolicy, type Policy, type Rule } from './compile.ts';
import { decide, refusing } from './decide.ts';
import { createEnvironment } from './environment.ts';
import { explain } from './explain.ts';
import { idleProblems, type WrittenPolicy } from './idle.ts';
import { compileObserve, observesAll } from './observe.ts';
import { type PlacedDocument, parsePlaced } from './places.ts';
import { defaultReleaseTerms, documentSchema, type SetDocument, type WaiverDocument } from './schema.ts';
import type { PolicySet, Problem, RuleSummary } from './types.ts';
import { compileWaiver, waiverProblems } from './waivers.ts';

/** Problems named in the message of a fault; all of them count. */
const MAX_LISTED = 50;

type Read = { readonly document: PlacedDocument; readonly content: z.infer<typeof documentSchema> };

/**
 * Loads policy files (path → text) as one set: all or nothing. Throws POLICY_INVALID with every problem as
 * `file:line:column` when there is an error. Warnings are in `problems`; those about waivers need `now` (ms since the
 * epoch). Without a PolicySet document, content that no rule speaks of is denied.
 */
export const loadPolicies = (files: Readonly<Record<string, string>>, now?: number): PolicySet => {
  const { set, problems } = checkPolicies(files, now);
  if (set !== undefined) return set;
  const errors = problems.filter(({ severity }) => severity === 'error');
  const more = errors.length > MAX_LISTED ? `\n... and ${errors.length - MAX_LISTED} more` : '';
  throw new WeighbridgeError('POLICY_INVALID', errors.slice(0, MAX_LISTED).map(wordProblem).join('\n') + more, {
    errors: errors.length,
  });
};

/** `file:line:column: message`. */
export const wordProblem = ({ path, line, column, severity, message }: Problem): string =>
  `${path}:${line}:${column}: ${severity === 'warning' ? 'warning: ' : ''}${message}`;

/**
 * Like `loadPolicies`, with the problems as values; `set` is missing when one of them is an error. A `thorough` look also
 * finds rules that never match or never decide, which can take seconds.
 */
export const checkPolicies = (
  files: Readonly<Record<string, string>>,
  now?: number,
  thorough = false,
): { readonly set?: PolicySet; readonly problems: readonly Problem[] } => {
  const problems: Problem[] = [];
  const documents = Object.keys(files)
    .sort()
    .flatMap((file) => readFile(file, files[file] ?? '', problems));
  if (documents.length === 0 && problems.length === 0) problems.push(nothing(files));
  const sets = documents.flatMap(({ document, content }) =>
    content.kind === 'PolicySet' ? [{ document, content }] : [],
  );
  problems.push(...sets.slice(1).map(({ document }) => document.problem('a second PolicySet', ['kind'])));
  const policies = compilePolicies(documents, problems);
  const waivers = waiversOf(documents, policies.rules, problems, now);
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  if (thorough) problems.push(...idleProblems(policies.written));
  const compiled = policies.written.map(({ policy }) => policy);
  const observed = documents.flatMap(({ content }) => (content.kind === 'Observe' ? [content] : []));
  const rules = {
    policies: compiled,
    waivers,
    defaultAction: defaultActionOf(sets[0]?.content),
    observes: compileObserve(observed),
    release: sets[0]?.content.releases ?? defaultReleaseTerms(),
  };
  const set: PolicySet = {
    digest: digestOf(files),
    files: { ...files },
    problems,
    rules: compiled.flatMap((policy) => policy.rules.map((rule) => summaryOf(policy, rule))),
    release: rules.release,
    dropsRows:
      !observed.some(observesAll) &&
      compiled.some(
        ({ mode, rules: own }) => mode === 'enforce' && own.some(({ obligations }) => obligations.rows === 'drop'),
      ),
    decide: (facts, at) => decide(rules, facts, at),
    explain: (facts) => explain(rules.policies, facts),
    refusing: (facts, at) => refusing(rules, facts, at),
  };
  return { set, problems };
};

const summaryOf = ({ mode, owner }: Policy, { name, action, approvals, autoRelease }: Rule): RuleSummary => ({
  name,
  action,
  mode,
  ...(owner !== undefined && { owner }),
  ...(approvals !== undefined && { approvals }),
  ...(autoRelease !== undefined && { autoRelease }),
});

const nothing = (files: Readonly<Record<string, string>>): Problem => ({
  severity: 'error',
  message: 'no policy found',
  path: Object.keys(files)[0] ?? '(no files)',
  line: 1,
  column: 1,
});

const defaultActionOf = (set: SetDocument | undefined): SetDocument['defaultAction'] => set?.defaultAction ?? 'deny';

const readFile = (file: string, text: string, problems: Problem[]): Read[] => {
  const parsed = parsePlaced(file, text);
  problems.push(...parsed.problems);
  return parsed.documents.flatMap((document) => {
    const result = documentSchema.safeParse(document.value);
    if (result.success) return [{ document, content: result.data }];
    problems.push(...result.error.issues.flatMap((issue) => wordIssue(document, issue)));
    return [];
  });
};

const wordIssue = (document: PlacedDocument, issue: z.core.$ZodIssue): Problem[] => {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  // What is not there has no place of its own: the place is that of what it is missing in.
  if (issue.message.endsWith('received undefined')) return [document.problem(`${path.join('.')} is missing`, path)];
  if (issue.code !== 'unrecognized_keys') return [document.problem(issue.message, path)];
  return issue.keys.map((key) => document.problem(`unknown key ${JSON.stringify(key)}`, path, { key }));
};

const compilePolicies = (
  documents: readonly Read[],
  problems: Problem[],
): { written: readonly WrittenPolicy[]; rules: ReadonlySet<string> } => {
  const environment = createEnvironment();
  const written: WrittenPolicy[] = [];
  const rules = new Set<string>();
  const ids = new Set<string>();
  for (const { document, content } of documents) {
    if (content.kind !== 'Policy') continue;
    const { id } = content.metadata;
    if (ids.has(id)) problems.push(document.problem(`the policy id ${id} is used twice`, ['metadata', 'id']));
    ids.add(id);
    for (const rule of content.rules) rules.add(`${id}/${rule.id}`);
    const result = compilePolicy(environment, document, content);
    problems.push(...result.problems);
    if (result.policy !== undefined) written.push({ document, source: content, policy: result.policy });
  }
  return { written, rules };
};

const waiversOf = (
  documents: readonly Read[],
  rules: ReadonlySet<string>,
  problems: Problem[],
  now: number | undefined,
): ReturnType<typeof compileWaiver>[] => {
  const ids = new Set<string>();
  return documents.flatMap(({ document, content }) => {
    if (content.kind !== 'Waiver') return [];
    const waiver: WaiverDocument = content;
    const { id } = waiver.metadata;
    if (ids.has(id)) problems.push(document.problem(`the waiver id ${id} is used twice`, ['metadata', 'id']));
    ids.add(id);
    problems.push(...waiverProblems(document, waiver, rules, now));
    return [compileWaiver(waiver)];
  });
};

/** The digest of a set: sha256 over the paths and contents, in order of path; lengths keep them apart. */
export const digestOf = (files: Readonly<Record<string, string>>): string => {
  const hash = createHash('sha256');
  for (const path of Object.keys(files).sort()) {
    const text = files[path] ?? '';
    hash.update(`${path.length}:${path}${text.length}:${text}`);
  }
  return hash.digest('hex');
};
