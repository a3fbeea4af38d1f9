import { WeighbridgeError } from '../errors.ts';
import { compileGlob, isGlob } from '../policy/glob.ts';
import type { LoggedEntry } from './entry.ts';

/** What entries can be searched for by what they name. */
export const FIELDS = [
  'artefact',
  'digest',
  'repo',
  'actor',
  'team',
  'client',
  'decision',
  'rule',
  'kind',
  'request',
] as const;
export type Field = (typeof FIELDS)[number];

/** What is wanted: all of it together. A text with `*` or `?` is a glob as in policies; times are ms since the epoch. */
export type Query = { readonly [F in Field]?: string } & { readonly from?: number; readonly to?: number };

/** Whether a text is a pattern rather than a name. */
export const isPattern = (text: string): boolean => /[*?]/.test(text);

/** A name as it is compared: NUL and lone surrogates, which no index keeps as they are, are the replacement character. */
const comparable = (text: string): string =>
  text.isWellFormed() && !text.includes('\0') ? text : text.toWellFormed().replaceAll('\0', '\ufffd');

/** Digests that say where an entry's bytes came from or went to, beside that of the artefact itself. */
const digestsOf = ({ artefact, served, detail }: LoggedEntry): readonly unknown[] => [
  artefact?.sha256,
  served?.convertedFrom,
  detail?.['derived'],
  detail?.['source'],
];

/** The name of an artefact in a search: its repo and its path. */
export const artefactName = ({ repo, path }: NonNullable<LoggedEntry['artefact']>): string =>
  repo === '' ? path : `${repo}/${path}`;

/** What an entry can be found by, in each field. A client is found by its name, and by name and version. */
const VALUES: { readonly [F in Field]: (entry: LoggedEntry) => readonly unknown[] } = {
  artefact: ({ artefact }) => [artefact?.path && artefactName(artefact)],
  digest: (entry) => digestsOf(entry),
  repo: ({ artefact }) => [artefact?.repo],
  actor: ({ actor }) => [actor],
  team: ({ team }) => [team],
  client: ({ client }) => [client?.name, client?.version && `${client.name}/${client.version}`],
  decision: ({ decision }) => [decision?.action],
  rule: ({ decision }) => [decision?.rule],
  kind: ({ kind }) => [kind],
  request: ({ request }) => [request?.id],
};

/** Calls `take` with each name that an entry can be found by in a field; with one that stands there twice, twice. */
export const eachTerm = (entry: LoggedEntry, field: Field, take: (text: string) => void): void => {
  for (const text of VALUES[field](entry)) if (typeof text === 'string' && text !== '') take(comparable(text));
};

/** What a query asks of each field that it names. Throws REQUEST_INVALID for a pattern that is too long. */
export const conditionsOf = (query: Query): readonly Condition[] =>
  FIELDS.flatMap((field): readonly Condition[] => {
    const wanted = query[field];
    if (wanted === undefined) return [];
    const text = comparable(wanted);
    if (!isPattern(text)) return [{ field, text, pattern: false, accepts: (value: string) => value === text }];
    if (!isGlob(text)) throw new WeighbridgeError('REQUEST_INVALID', `the pattern for ${field} is too long`);
    // Most names are told apart by the longest text between the stars, which is looked for much faster.
    const [longest = ''] = text.split(/[*?]+/).sort((a, b) => b.length - a.length);
    const glob = compileGlob(text);
    return [{ field, text, pattern: true, accepts: (value) => value.includes(longest) && glob(value) }];
  });

/** What one field must be. */
export type Condition = {
  readonly field: Field;
  readonly text: string;
  readonly pattern: boolean;
  readonly accepts: (value: string) => boolean;
};

/** Whether an entry is what is wanted. */
export const createMatcher = (query: Query): ((entry: LoggedEntry) => boolean) => {
  const conditions = conditionsOf(query);
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query;
  return (entry) => {
    const time = Date.parse(entry.time);
    if (!(time >= from && time < to)) return false;
    return conditions.every(({ field, accepts }) => {
      let met = false;
      eachTerm(entry, field, (text) => {
        met ||= accepts(text);
      });
      return met;
    });
  };
};
