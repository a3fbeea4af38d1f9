import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The files of a log folder; docs/log.md describes them. */
export type LogFiles = {
  /** The newest checkpoint, a C2SP signed note. */
  readonly checkpoint: string;
  /** Older checkpoints, one JSON object `{time, note}` a line, thinned to about one a minute. */
  readonly history: string;
  /** The verifier key, for convenience: whoever can change the log can change this as well. */
  readonly key: string;
};

export const logFiles = (directory: string): LogFiles => ({
  checkpoint: join(directory, 'checkpoint'),
  history: join(directory, 'checkpoints.jsonl'),
  key: join(directory, 'key'),
});

/** A file of entries, and what goes with it. The name carries the index of the first entry. */
export type Segment = {
  readonly first: number;
  /** One entry a line. */
  readonly entries: string;
  /** 32 bytes of leaf hash for each entry. Derived: it names the entry that was changed. */
  readonly hashes: string;
  /** The frontier of the tree before the first entry, one node a line in base64. Derived: it makes starts short. */
  readonly frontier: string;
};

/** The files of the index, which is derived. */
export const indexFiles = (directory: string): readonly string[] =>
  ['', '-wal', '-shm'].map((suffix) => join(directory, `index.sqlite${suffix}`));

const NAME = /^audit-(\d{12})\.jsonl$/;
const HASHES = /^audit-(\d{12})\.hashes$/;

/** The segment whose first entry has index `first`. */
export const segmentAt = (directory: string, first: number): Segment => {
  const base = join(directory, `audit-${String(first).padStart(12, '0')}`);
  return { first, entries: `${base}.jsonl`, hashes: `${base}.hashes`, frontier: `${base}.frontier` };
};

/** The segments of a log folder whose entries are there, in order. Throws what readdir throws. */
export const listSegments = (directory: string): Segment[] => listBy(directory, NAME);

/** The segments whose leaf hashes are there, in order. */
export const listHashes = (directory: string): Segment[] => listBy(directory, HASHES);

const listBy = (directory: string, pattern: RegExp): Segment[] =>
  readdirSync(directory)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
    .map((first) => segmentAt(directory, first));
