import { existsSync } from 'node:fs';
import { openLogIndex } from '../../audit/log-index.ts';
import type { Query } from '../../audit/query.ts';
import { type ReadEntry, readEntries } from '../../audit/reader.ts';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createKept, type Kept } from '../../gateway/kept.ts';
import { layout } from '../../store/layout.ts';
import { readSqliteRecords } from '../../store/records-read.ts';

/** The log and the records of a gateway, to be read while it runs. */
export type Past = {
  readonly kept: Kept;
  /** The folder of the log. */
  readonly log: string;
  /** Entries in order, from `since` (ms since the epoch) on. */
  entries(since?: number): AsyncGenerator<ReadEntry>;
  close(): void;
};

/** Opens the data folder (the configured one when it is left out). Throws NOT_FOUND when there is no log or no records. */
export const openPast = (folder: string | undefined): Past => {
  const paths = layout(folder ?? loadConfig({}).data);
  const log = logAt(paths.log);
  const records = readSqliteRecords(paths.records);
  return { kept: createKept(records), log, entries: (since) => readEntries(log, since), close: records.close };
};

/** The entries of the log in the data folder alone. Throws NOT_FOUND when there is none. */
export const entriesIn = (folder: string | undefined, since: number): AsyncGenerator<ReadEntry> =>
  readEntries(logAt(layout(folder ?? loadConfig({}).data).log), since);

const logAt = (path: string): string => {
  if (existsSync(path)) return path;
  throw new WeighbridgeError('NOT_FOUND', `there is no log at ${path}`);
};

/** The newest entry of a decision that `wanted` names: see `names`. Throws NOT_FOUND when there is none. */
export const findDecision = async (past: Past, wanted: string): Promise<ReadEntry> => {
  const isIt = names(wanted);
  const index = openLogIndex(past.log);
  try {
    await index.catchUp();
    for (const query of queriesFor(wanted))
      for await (const one of index.all(query)) if (one.entry.evidence !== undefined && isIt(one)) return one;
    const { entries } = /^\d{1,15}$/.test(wanted)
      ? await index.search({}, { limit: 1, before: Number(wanted) + 1 })
      : { entries: [] };
    const [one] = entries;
    if (one?.entry.evidence !== undefined && isIt(one)) return one;
  } finally {
    index.close();
  }
  throw new WeighbridgeError('NOT_FOUND', `the log has no decision about ${wanted}; see weighbridge policy --help`);
};

/** What the index is asked for: all that `names` takes is among what it finds. */
const queriesFor = (wanted: string): readonly Query[] => {
  if (/^\d{1,15}$/.test(wanted)) return [];
  if (/^[0-9a-f]{64}$/.test(wanted)) return [{ digest: wanted }];
  if (!wanted.includes('/')) return [{ request: wanted }, ...atTimeOf(wanted)];
  const artefact = wanted.replace(/@[0-9a-f]{7,}\//, '/');
  const [, bare] = /^[a-z0-9-]+:(.*)$/.exec(artefact) ?? [];
  return [{ artefact }, ...(bare === undefined ? [] : [{ artefact: bare }])];
};

/** Ids of entries begin with their time (UUID version 7). */
const atTimeOf = (id: string): readonly Query[] => {
  const [, high = '', low = ''] = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id) ?? [];
  const time = Number.parseInt(`${high}${low}`, 16);
  return Number.isNaN(time) ? [] : [{ from: time, to: time + 1 }];
};

/**
 * What a person calls a decision by: the position, id or request of its entry, the sha256 of the bytes, or the artefact as
 * `[ecosystem:]repo[@commit]/path`, where the commit may be cut short.
 */
const names = (wanted: string): ((one: ReadEntry) => boolean) => {
  if (/^\d{1,15}$/.test(wanted)) return ({ index }) => index === Number(wanted);
  if (/^[0-9a-f]{64}$/.test(wanted)) return ({ entry }) => entry.artefact?.sha256 === wanted;
  return ({ entry: { id, request, artefact } }) => {
    if (id === wanted || request?.id === wanted) return true;
    if (artefact === undefined) return false;
    const { ecosystem, repo, commit, path } = artefact;
    const name = wanted.startsWith(`${ecosystem}:`) ? wanted.slice(ecosystem.length + 1) : wanted;
    if (name === `${repo}/${path}`) return true;
    const given =
      name.startsWith(`${repo}@`) && name.endsWith(`/${path}`) ? name.slice(repo.length + 1, -path.length - 1) : '';
    return /^[0-9a-f]{7,}$/.test(given) && commit.startsWith(given);
  };
};
