import { compileGlob } from '../../policy/glob.ts';
import type { Decision, Facts } from '../../policy/types.ts';
import type { Matched } from '../../store/tables.ts';
import { createMemo } from '../memo.ts';

/** Patterns compiled at a time: those of the orders in force. */
const globs = createMemo<(text: string) => boolean>(1_000);

const globOf = (pattern: string): ((text: string) => boolean) => {
  const known = globs.get(pattern);
  if (known !== undefined) return known;
  const glob = compileGlob(pattern);
  globs.set(pattern, glob);
  return glob;
};

/** Whether these facts, decided in this way, are what is meant. A repo may be named with its kind or without. */
export const matches = (match: Matched, facts: Facts, decision: Decision): boolean => {
  const { artefact, findings } = facts;
  const { digests, rule } = match;
  if (digests !== undefined && !digests.includes(artefact.sha256)) return false;
  if (!matchesName(match, artefact.repo)) return false;
  return rule === undefined || decision.rule === rule || findings.some((finding) => finding.rule === rule);
};

/** Whether a repo, with its kind, is what is meant by repo and namespace. */
export const matchesName = ({ namespace, repo }: Matched, name: string): boolean => {
  const [, second = '', third] = name.split('/');
  if (namespace !== undefined && !(third !== undefined && globOf(namespace)(second))) return false;
  return repo === undefined || [name, name.replace(/^[^/]*\//, '')].some(globOf(repo));
};

/** The same in words, for people. */
export const wordMatch = ({ digests = [], namespace, repo, rule }: Matched): string =>
  Object.entries({ digest: digests[0], repo, namespace, rule })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
    .join(', ');
