import { cell } from './export.ts';
import type { Derived, Impact } from './impact.ts';
import { cacheOf, keptAs } from './impact-caches.ts';

const COLUMNS = [
  'what',
  'actor',
  'team',
  'client',
  'ecosystem',
  'repo',
  'commit',
  'path',
  'sha256',
  'servedAs',
  'extent',
  'first',
  'last',
  'requests',
  'bytes',
  'cache',
  'keptAs',
  'source',
  'rowsDropped',
] as const;
type Row = { readonly [C in (typeof COLUMNS)[number]]?: string | number | undefined };

/** The same with the names under which a client's cache keeps each. */
export const withCaches = ({ received, ...rest }: Impact) => ({
  received: received.map((one) => ({ ...one, cache: cacheOf(one), keptAs: keptAs(one) })),
  ...rest,
});

/** The lines of a table (RFC 4180), with their line breaks. */
export function* linesOf(found: Impact): Generator<string> {
  yield `${COLUMNS.join(',')}\r\n`;
  for (const one of rowsOf(found)) yield `${COLUMNS.map((column) => cell(one[column])).join(',')}\r\n`;
}

/** The whole table. */
export const csvOf = (found: Impact): string => [...linesOf(found)].join('');

function* rowsOf({ received, derived }: Impact): Generator<Row> {
  for (const one of received) yield { what: 'received', ...one, cache: cacheOf(one), keptAs: keptAs(one).join(' | ') };
  for (const { at, ...one } of derived satisfies readonly Derived[])
    yield { what: 'derived', ...one, first: at, last: at };
}
