import { WeighbridgeError } from '../errors.ts';
import type { LoggedEntry } from './entry.ts';

/** Lines of an answer: one for each recipient, artefact and digest. */
const MAX_RECEIPTS = 500_000;
/** Requests that are waited for, between their outcome and their decision. */
const MAX_OPEN = 500_000;

/** One recipient of one artefact. */
export type Received = {
  readonly actor: string;
  readonly team: string;
  readonly client: string;
  readonly ecosystem: string;
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  /** Of the upstream file; what was served instead of it is `servedAs`. */
  readonly sha256: string;
  readonly servedAs: 'itself' | 'converted' | 'without rows' | 'uploaded';
  first: string;
  last: string;
  requests: number;
  bytes: number;
  /**
   * `complete`: one answer was, or ranges that make up the whole. `in part`: some bytes. `unknown`: it was let through,
   * and no entry says how that ended.
   */
  extent: 'complete' | 'in part' | 'unknown';
};

type Ranges = { start: number; end: number }[];
type Line = Received & { readonly ranges: Ranges; readonly size: number | undefined };

/** Gathers who received what, from entries in the order newest first. */
export type Receipts = {
  take(entry: LoggedEntry): void;
  all(): { readonly received: readonly Received[]; readonly refused: number };
};

export const createReceipts = (): Receipts => {
  const lines = new Map<string, Line>();
  const ended = new Set<string>();
  let refused = 0;

  const lineOf = (entry: LoggedEntry, servedAs: Received['servedAs']): Line | undefined => {
    const { actor = '', team = '', client, artefact, time } = entry;
    if (artefact === undefined) return undefined;
    const { ecosystem, repo, commit, path, sha256 = '', size } = artefact;
    const named = client === undefined ? '' : `${client.name}/${client.version}`;
    const key = JSON.stringify([actor, team, named, ecosystem, repo, commit, path, sha256, servedAs]);
    const known = lines.get(key);
    if (known !== undefined) return known;
    if (lines.size >= MAX_RECEIPTS) {
      throw new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_RECEIPTS} lines: ask for a shorter time`);
    }
    const who = { actor, team, client: named };
    const counts = { first: time, last: time, requests: 0, bytes: 0, extent: 'unknown' as const };
    const line: Line = { ...who, ecosystem, repo, commit, path, sha256, servedAs, ...counts, ranges: [], size };
    lines.set(key, line);
    return line;
  };

  const note = (line: Line | undefined, time: string, served: Served | undefined): void => {
    if (line === undefined) return;
    line.requests += 1;
    if (time < line.first) line.first = time;
    if (time > line.last) line.last = time;
    if (served === undefined) return;
    line.bytes += served.bytes;
    if (served.bytes === 0 && line.size !== 0) return;
    line.extent = line.extent === 'complete' || isWhole(line, served) ? 'complete' : 'in part';
  };

  return {
    take(entry) {
      const { kind, decision, served, artefact, request, time } = entry;
      const asked = `${request?.id} ${artefact?.path}`;
      if (kind === 'upload.decision') note(lineOf(entry, 'uploaded'), time, whole(artefact?.size ?? 0));
      if (kind === 'artefact.outcome') {
        if (ended.size < MAX_OPEN) ended.add(asked);
        if (served !== undefined && (served.bytes > 0 || served.complete))
          note(lineOf(entry, nature(entry)), time, served);
      }
      if (kind !== 'artefact.decision') return;
      const through = decision?.action === 'allow' || decision?.action === 'convert';
      if (served?.release === 'refused' || !through) refused += 1;
      // Newest first: an outcome has been seen before its decision.
      else if (!ended.has(asked)) note(lineOf(entry, nature(entry)), time, undefined);
    },
    all: () => ({
      received: [...lines.values()]
        .map(({ ranges: _ranges, size: _size, ...line }) => line)
        .sort((a, b) => (a.last < b.last ? 1 : -1)),
      refused,
    }),
  };
};

type Served = NonNullable<LoggedEntry['served']>;

const whole = (bytes: number): Served => ({ status: 200, bytes, release: 'none', complete: true });

/** What was served in the place of the artefact. */
const nature = ({ detail, served }: LoggedEntry): Received['servedAs'] => {
  if (detail?.['derived'] !== undefined) return 'without rows';
  return served?.convertedFrom === undefined ? 'itself' : 'converted';
};

/** Whether this answer, or it with earlier ones, is the whole file. The size of what was converted stands in no entry. */
const isWhole = ({ ranges, size, servedAs }: Line, served: Served): boolean => {
  if (served.range === undefined) return served.complete;
  const start = Number(/^(\d+)-\d+$/.exec(served.range)?.[1]);
  if (Number.isNaN(start) || servedAs !== 'itself' || size === undefined) return false;
  insert(ranges, start, start + served.bytes);
  const [first] = ranges;
  return first !== undefined && first.start === 0 && first.end >= size;
};

/** Adds a range to ranges that are sorted and do not touch. */
const insert = (ranges: Ranges, start: number, end: number): void => {
  const apart = ranges.filter((range) => range.end < start || range.start > end);
  const touching = ranges.filter((range) => !(range.end < start || range.start > end));
  const joined = {
    start: Math.min(start, ...touching.map((range) => range.start)),
    end: Math.max(end, ...touching.map((range) => range.end)),
  };
  ranges.splice(0, ranges.length, ...[...apart, joined].sort((a, b) => a.start - b.start));
};
