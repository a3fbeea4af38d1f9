import { parseArgs } from 'node:util';
import { MAX_PAGE, openLogIndex } from '../../audit/log-index.ts';
import { FIELDS, type Query } from '../../audit/query.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { countOf, directoryOf, timeOf, wrong } from './options.ts';
import { table } from './table.ts';

const DEFAULT_LIMIT = 50;
const text = { type: 'string' } as const;

/** The options of everything that chooses entries as a search does. */
export const QUERY_OPTIONS = {
  artefact: text,
  digest: text,
  repo: text,
  actor: text,
  team: text,
  client: text,
  decision: text,
  rule: text,
  kind: text,
  request: text,
  from: text,
  to: text,
} as const;

/** The query of these options. */
export const queryOf = (values: { readonly [O in keyof typeof QUERY_OPTIONS]?: string | undefined }): Query => {
  const { from, to } = values;
  const named = FIELDS.flatMap((field) => {
    const value = values[field];
    if (value === '') throw wrong(`--${field} is empty`);
    return value === undefined ? [] : [[field, value] as const];
  });
  return {
    ...Object.fromEntries(named),
    ...(from === undefined ? {} : { from: timeOf('from', from) }),
    ...(to === undefined ? {} : { to: timeOf('to', to) }),
  };
};

/** `weighbridge log search`. */
export const search = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...QUERY_OPTIONS, limit: text, before: text, json: { type: 'boolean' } },
  });
  const limit = countOf('limit', values.limit, DEFAULT_LIMIT, MAX_PAGE);
  const before = values.before === undefined ? undefined : countOf('before', values.before, 1, Number.MAX_SAFE_INTEGER);
  const index = openLogIndex(directoryOf(positionals));
  try {
    await index.catchUp();
    const page = await index.search(queryOf(values), { limit, ...(before === undefined ? {} : { before }) });
    const shown = page.entries.toReversed();
    const lines = values.json === true ? shown.map(({ line }) => line) : table(shown);
    for (const line of lines) io.stdout.write(`${line}\n`);
    const older = page.next === undefined ? '' : `; older ones: --before ${page.next}`;
    io.stderr.write(`${shown.length} of ${page.total} that match, of ${page.searched} entries${older}\n`);
    return EXIT.ok;
  } finally {
    index.close();
  }
};
