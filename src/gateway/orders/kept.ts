import type { LoggedEntry } from '../../audit/entry.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Matched } from '../../store/tables.ts';
import type { Records } from '../../store/types.ts';
import type { OrderBook } from './book.ts';
import { matchesName } from './match.ts';

/** Blobs under one legal hold. */
const MAX_BLOBS = 50_000;
const PAGE = 1_000;

/** The blobs of the artefacts that are meant, as far as they were fetched. Throws LIMIT_EXCEEDED when there are too many. */
export const blobsOf = async (records: Pick<Records, 'list'>, match: Matched): Promise<readonly string[]> => {
  const found = new Set(match.digests);
  if (match.repo === undefined && match.namespace === undefined) return [...found];
  for (let after = ''; ; ) {
    const page = await records.list('artefact', '', PAGE, after);
    for (const { key, value } of page) {
      if (value.sha256 === undefined || found.has(value.sha256)) continue;
      const [, repo = ''] = /^[^/]+\/(.+?)\/[0-9a-f]{40,64}\//.exec(key) ?? [];
      if (match.digests === undefined && matchesName(match, repo)) found.add(value.sha256);
    }
    if (found.size > MAX_BLOBS)
      throw new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_BLOBS} blobs: name less at a time`);
    after = page.at(-1)?.key ?? '';
    if (page.length < PAGE) return [...found];
  }
};

/** What legal holds keep: blobs from eviction, and entries of the log from being taken out. */
export const createKeeping = (book: Pick<OrderBook, 'live'>) => {
  let known: { readonly ids: string; readonly blobs: ReadonlySet<string> } = { ids: '', blobs: new Set() };
  const keeping = () => book.live().filter((order) => order.kind === 'keep');
  return {
    blob(sha256: string): boolean {
      const holds = keeping();
      if (holds.length === 0) return false;
      const ids = holds.map(({ id }) => id).join(' ');
      if (known.ids !== ids) known = { ids, blobs: new Set(holds.flatMap(({ blobs }) => blobs)) };
      return known.blobs.has(sha256);
    },
    entry: (entry: LoggedEntry): boolean => keeping().some(({ match }) => matchesEntry(match, entry)),
  };
};

const matchesEntry = (match: Matched, { artefact, decision, detail, served }: LoggedEntry): boolean => {
  const digests: readonly unknown[] = [
    artefact?.sha256,
    served?.convertedFrom,
    detail?.['derived'],
    detail?.['source'],
  ];
  if (match.digests !== undefined && !match.digests.some((digest) => digests.includes(digest))) return false;
  if (match.rule !== undefined && decision?.rule !== match.rule) return false;
  return artefact === undefined ? match.digests !== undefined : matchesName(match, artefact.repo);
};
