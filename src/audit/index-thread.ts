import { parentPort, workerData } from 'node:worker_threads';
import { isFault } from '../errors.ts';
import { type Impact, impactOf } from './impact.ts';
import { openLogIndex } from './log-index.ts';
import type { Query } from './query.ts';
import type { Page, Paging } from './search-blocks.ts';
import { askTree, type TreeQuestion } from './tiles.ts';

/** A search, or a question about the tree, by a number that its answer carries; or the end. */
export type SearchRequest =
  | { readonly id: number; readonly query: Query; readonly paging: Paging }
  | { readonly id: number; readonly question: TreeQuestion }
  | { readonly id: number; readonly key: string | undefined; readonly narrow: Query }
  | 'close';
export type SearchAnswer =
  | { readonly id: number; readonly page: Page }
  | { readonly id: number; readonly bytes: Uint8Array }
  | { readonly id: number; readonly impact: Impact }
  | {
      readonly id: number;
      readonly fault: {
        readonly code: 'REQUEST_INVALID' | 'NOT_FOUND' | 'LIMIT_EXCEEDED' | 'LOG_CORRUPT';
        readonly message: string;
      };
    };

/** ms between two looks at what was written, so that a search finds little left to take in. */
const FOLLOW_INTERVAL = 1000;
/** ms that a search waits for the index: one that is made anew answers with what it has so far. */
const MAX_WAIT = 2000;

/** The index in its thread: neither its commits nor its searches stall the thread that serves, or the one that writes the log. */
const serve = (port: NonNullable<typeof parentPort>, directory: string): void => {
  const index = openLogIndex(directory);
  const follow = (): Promise<unknown> => index.catchUp().catch(() => undefined);
  const timer = setInterval(() => void follow(), FOLLOW_INTERVAL);
  void follow();

  const answer = async (request: Exclude<SearchRequest, 'close'>): Promise<SearchAnswer> => {
    const { id } = request;
    try {
      if ('question' in request) return { id, bytes: await askTree(directory, request.question) };
      if ('narrow' in request) return { id, impact: await impactOf(index, request.key, request.narrow) };
      const { paging, query } = request;
      const waiting = new AbortController();
      const patience = new Promise((resolve) => {
        const patient = setTimeout(resolve, MAX_WAIT);
        waiting.signal.addEventListener('abort', () => clearTimeout(patient));
      });
      await Promise.race([index.catchUp(), patience]);
      waiting.abort();
      return { id, page: await index.search(query, paging) };
    } catch (error) {
      const known = (['REQUEST_INVALID', 'NOT_FOUND', 'LIMIT_EXCEEDED'] as const).find((one) => isFault(error, one));
      const code = known ?? 'LOG_CORRUPT';
      return { id, fault: { code, message: error instanceof Error ? error.message : String(error) } };
    }
  };

  port.on('message', (request: SearchRequest) => {
    if (request !== 'close') {
      void answer(request).then((message) => port.postMessage(message));
      return;
    }
    clearInterval(timer);
    index.close();
    // What is being read now would go on into a file that is closed.
    process.exit(0);
  });
};

if (parentPort !== null) serve(parentPort, String(workerData));
