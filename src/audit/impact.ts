import { WeighbridgeError } from '../errors.ts';
import type { LoggedEntry } from './entry.ts';
import { createReceipts, type Received } from './impact-receipts.ts';
import type { LogIndex } from './log-index.ts';
import type { Query } from './query.ts';

/** Blobs that are followed from one to what was made of it. */
const MAX_DIGESTS = 10_000;

/** A blob that was made of another: converted, or without some of its rows. */
export type Derived = {
  readonly source: string;
  readonly sha256: string;
  readonly at: string;
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
  /** Rows that it lacks; undefined for a conversion. */
  readonly rowsDropped: number | undefined;
};

export type Impact = {
  /** Who had it, the latest first. */
  readonly received: readonly Received[];
  readonly derived: readonly Derived[];
  /** Requests that were refused. */
  readonly refused: number;
  /** Entries that were looked at, and all that there are. */
  readonly entries: number;
  readonly searched: number;
};

/** Digest, or repo, or artefact: what a key may mean, as queries of which any may match. */
export const meaningsOf = (key: string): readonly Query[] => {
  if (/^[0-9a-f]{64}$/i.test(key)) return [{ digest: key.toLowerCase() }];
  const names = /^(models|datasets|spaces)\//.test(key)
    ? [key]
    : [key, `models/${key}`, `datasets/${key}`, `spaces/${key}`];
  return names.flatMap((name): Query[] => [{ repo: name }, { artefact: name }]);
};

/**
 * Who received what any of `meanings` means, and what was derived from it; what was derived is followed in its turn.
 * `narrow` chooses among those who received it. Throws LIMIT_EXCEEDED when that is more than can be listed.
 */
export const findImpact = async (index: LogIndex, meanings: readonly Query[], narrow: Query): Promise<Impact> => {
  const searched = await index.catchUp();
  const derived = await followDerived(index, meanings);
  const digests = new Set([...derived].map(({ sha256 }) => sha256));
  const receipts = createReceipts();
  const seen = new Set<number>();
  for (const meaning of [...meanings, ...[...digests].map((digest) => ({ digest }))]) {
    for await (const { index: position, entry } of index.all({ ...meaning, ...narrow })) {
      if (seen.has(position)) continue;
      seen.add(position);
      receipts.take(entry);
    }
  }
  return { ...receipts.all(), derived, entries: seen.size, searched };
};

/** The same of a key, which the names in `query` narrow down or stand in the place of. */
export const impactOf = (index: LogIndex, key: string | undefined, query: Query): Promise<Impact> => {
  const { artefact, digest, repo, ...narrow } = query;
  const named: Query = { ...(digest && { digest }), ...(repo && { repo }), ...(artefact && { artefact }) };
  return findImpact(index, key === undefined ? [named] : meaningsOf(key).map((one) => ({ ...one, ...named })), narrow);
};

/** What was made of a thing, of what was made of it, and so on. */
const followDerived = async (index: LogIndex, meanings: readonly Query[]): Promise<readonly Derived[]> => {
  const derived = new Map<string, Derived>();
  const asked = new Set(meanings.map(({ digest }) => digest));
  const waiting = [...meanings];
  for (let meaning = waiting.shift(); meaning !== undefined; meaning = waiting.shift()) {
    for await (const { entry } of index.all({ ...meaning, kind: 'conversion' })) {
      const made = derivedBy(entry);
      if (made === undefined) continue;
      derived.set(`${made.source} ${made.sha256} ${made.repo} ${made.path}`, made);
      if (asked.has(made.sha256)) continue;
      if (asked.size >= MAX_DIGESTS) throw tooMany();
      asked.add(made.sha256);
      waiting.push({ digest: made.sha256 });
    }
  }
  return [...derived.values()];
};

/** What an entry says was made of something. */
const derivedBy = ({ kind, artefact, detail, time }: LoggedEntry): Derived | undefined => {
  const source = detail?.['source'];
  if (kind !== 'conversion' || artefact?.sha256 === undefined || typeof source !== 'string') return undefined;
  const { repo, commit, path, sha256 } = artefact;
  const dropped = detail?.['rowsDropped'];
  const rowsDropped = typeof dropped === 'number' ? dropped : undefined;
  return { source, sha256, at: time, repo, commit, path, rowsDropped };
};

const tooMany = (): WeighbridgeError =>
  new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_DIGESTS} blobs were derived: ask for one of them`);
