import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Impact, impactOf } from '../audit/impact.ts';
import { keptAs } from '../audit/impact-caches.ts';
import type { Received } from '../audit/impact-receipts.ts';
import { linesOf, withCaches } from '../audit/impact-table.ts';
import { openLogIndex } from '../audit/log-index.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { send, wrong } from './log/options.ts';
import { QUERY_OPTIONS, queryOf } from './log/search.ts';
import { printable } from './log/table.ts';

const usage = `usage: weighbridge impact [KEY] [--digest SHA256] [--repo NAME] [--artefact NAME] [--rule ID] [--actor ID] [--team NAME]
                         [--client NAME] [--from TIME] [--to TIME] [--log DIR] [--format text|json|csv]

Who received something, through which artefact, when, completely or in part, and what was derived from it, by the access
log. KEY is a sha256, a repo (org/name or models/org/name; models/org/* is a whole namespace) or an artefact (repo/path).
The options narrow it down, or stand in its place: impact --rule default/inert --from 7d.

A file that was converted, or served without some of its rows, counts for its source, and what was made of it is followed.
The folder cache is where a Hub client keeps the revision, below its cache folder; keptAs is what the client that asked calls the
file there, or where it was run: delete it there.
DIR is ./data/log. Ends with 0 when nobody received it, with 1 when somebody did.`;

export const impact: Command = {
  name: 'impact',
  summary: 'who received a file or a repo, and what was derived from it',
  usage,
  async run(args, io) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...QUERY_OPTIONS,
        log: { type: 'string', default: join('data', 'log') },
        format: { type: 'string', default: 'text' },
      },
    });
    const query = queryOf(values);
    const [key, ...others] = positionals;
    if (others.length > 0) throw wrong(`one key at a time, not also '${others[0]}'`);
    if (key === undefined && Object.keys(query).length === 0) throw wrong('there is nothing to look for');
    if (!['text', 'json', 'csv'].includes(values.format)) throw wrong('--format is none of text, json, csv');
    const index = openLogIndex(values.log);
    try {
      const found = await impactOf(index, key, query);
      await print(found, values.format, io);
      return found.received.length === 0 ? EXIT.ok : EXIT.refused;
    } finally {
      index.close();
    }
  },
};

const print = async (found: Impact, format: string, io: CommandIo): Promise<void> => {
  const { received, derived, refused, entries, searched } = found;
  if (format === 'json') {
    await send(io, `${JSON.stringify(withCaches(found))}\n`);
    return;
  }
  if (format === 'csv') {
    for (const line of linesOf(found)) await send(io, line);
    return;
  }
  for (const line of received) {
    await send(io, `${printable(worded(line))}\n`);
    for (const name of keptAs(line)) await send(io, `  kept as ${printable(name)}\n`);
  }
  for (const { source, sha256, rowsDropped, repo, path, at } of derived) {
    const how = rowsDropped === undefined ? 'converted' : `without ${rowsDropped} rows`;
    await send(io, `${printable(`derived   ${at}  ${sha256} from ${source} (${how})  ${repo}/${path}`)}\n`);
  }
  const people = new Set(received.map(({ actor }) => actor)).size;
  await send(
    io,
    `${people} received it, ${derived.length} files were derived from it, ${refused} requests were refused ` +
      `(${entries} of ${searched} entries)\n`,
  );
};

const worded = (line: Received): string => {
  const { actor, team, client, extent, first, last, requests, bytes, servedAs, repo, commit, path } = line;
  const who = [actor, team, client].filter((text) => text !== '').join(' ');
  const when = first === last ? last : `${first} to ${last}`;
  const name = repo === '' ? path : `${repo}@${commit.slice(0, 12)}/${path}`;
  return `${extent.padEnd(8)}  ${when}  ${who}  ${name}  ${servedAs}, ${requests} requests, ${bytes} bytes`;
};
