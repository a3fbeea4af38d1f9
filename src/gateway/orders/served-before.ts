import type { LogSearch } from '../../audit/log-search.ts';
import type { ServedBefore } from './restrain.ts';

/** Entries looked at in one go; nearly always the first says it. */
const PAGE = 50;

/** Looks in the log for a download that was let through and from which at least a byte was had. */
export const createServedBefore =
  (search: Pick<LogSearch, 'search'>): ServedBefore =>
  async (digest, to) => {
    for (const decision of ['allow', 'convert']) {
      for (let before: number | undefined, more = true; more; more = before !== undefined) {
        const paging = { limit: PAGE, ...(before === undefined ? {} : { before }) };
        const page = await search.search({ digest, to, decision, kind: 'artefact.outcome' }, paging);
        if (
          page.entries.some(
            ({ entry }) => entry.served !== undefined && (entry.served.bytes > 0 || entry.served.complete),
          )
        )
          return true;
        before = page.next;
      }
    }
    return false;
  };
