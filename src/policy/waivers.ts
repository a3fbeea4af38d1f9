import type { PlacedDocument } from './places.ts';
import type { WaiverDocument } from './schema.ts';
import type { Facts, Problem } from './types.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long before its end a waiver is announced to run out, ms. */
const NOTICE_MS = 14 * DAY_MS;

/** An admin's dated exception for one digest or one artefact and for named rules. */
export type Waiver = {
  readonly id: string;
  readonly rules: ReadonlySet<string>;
  /** First moment, in ms since the epoch, at which it is no longer in force. */
  readonly ends: number;
  covers(facts: Facts): boolean;
};

export const compileWaiver = (source: WaiverDocument): Waiver => ({
  id: source.metadata.id,
  rules: new Set(source.rules),
  ends: endOf(source.expires),
  covers: compileCover(source.match),
});

/** A date alone means the whole of that day, UTC. */
const endOf = (expires: string): number => Date.parse(expires) + (expires.includes('T') ? 0 : DAY_MS);

const compileCover = (match: WaiverDocument['match']): ((facts: Facts) => boolean) => {
  if ('sha256' in match) {
    const digests = new Set(Array.isArray(match.sha256) ? match.sha256 : [match.sha256]);
    return ({ artefact }) => digests.has(artefact.sha256);
  }
  const { ecosystem, repo, commit, path } = match.artefact;
  return ({ artefact }) =>
    artefact.ecosystem === ecosystem && artefact.repo === repo && artefact.commit === commit && artefact.path === path;
};

/** Warns of waivers that have run out, will soon, or name a rule that does not exist. */
export const waiverProblems = (
  document: PlacedDocument,
  source: WaiverDocument,
  rules: ReadonlySet<string>,
  now: number | undefined,
): Problem[] => {
  const warn = (message: string, path: readonly (string | number)[]): Problem =>
    document.problem(message, path, { severity: 'warning' });
  const problems = source.rules.flatMap((rule, index) =>
    rules.has(rule) || rule === 'default' ? [] : [warn(`there is no rule ${rule}`, ['rules', index])],
  );
  if (now === undefined) return problems;
  const { id } = source.metadata;
  const left = endOf(source.expires) - now;
  if (left <= 0) problems.push(warn(`waiver ${id} has expired and is ignored`, ['expires']));
  else if (left <= NOTICE_MS)
    problems.push(warn(`waiver ${id} expires in ${Math.ceil(left / DAY_MS)} days`, ['expires']));
  return problems;
};
