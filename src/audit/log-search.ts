import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { WeighbridgeError } from '../errors.ts';
import type { Impact } from './impact.ts';
import type { SearchAnswer, SearchRequest } from './index-thread.ts';
import type { Query } from './query.ts';
import type { Page, Paging } from './search-blocks.ts';
import type { TreeQuestion } from './tiles.ts';

/** ms that a search may take; one of ten million entries takes a second. */
const SEARCH_TIMEOUT = 30_000;
/** ms that the thread has to close its index. What it leaves is found again: the log is the truth. */
const CLOSE_TIMEOUT = 5_000;
/** Searches under way: more mean that somebody asks faster than is answered. */
const MAX_SEARCHES = 32;

/** Searches of the log that a gateway is writing. */
export type LogSearch = {
  /** The newest entries that match, newest first. Throws REQUEST_INVALID, LOG_CORRUPT, or LOG_UNAVAILABLE. */
  search(query: Query, paging: Paging): Promise<Page>;
  /** What the tree says. Throws NOT_FOUND for what the newest checkpoint does not cover, or LOG_UNAVAILABLE. */
  tree(question: TreeQuestion): Promise<Uint8Array>;
  /** Who received what `key` or `narrow` names; see `impactOf`. Throws LIMIT_EXCEEDED for more than can be listed. */
  impact(key: string | undefined, narrow: Query): Promise<Impact>;
  close(): Promise<void>;
};

type Answered = Exclude<SearchAnswer, { readonly fault: unknown }>;
type Waiting = { readonly resolve: (answer: Answered) => void; readonly reject: (fault: Error) => void };
/** A request without its number. */
type Asked =
  | { readonly query: Query; readonly paging: Paging }
  | { readonly question: TreeQuestion }
  | { readonly key: string | undefined; readonly narrow: Query };

/** Starts the thread that keeps the index of the log in `directory`, which must be there. It may die: the log does not. */
export const createLogSearch = (directory: string): LogSearch => {
  // The sources run as .ts in a checkout and as .js once built; a URL in a string is not rewritten by the build.
  const entry = new URL(`./index-thread${extname(import.meta.filename)}`, import.meta.url);
  const thread = new Worker(entry, { workerData: directory, name: 'log-index', execArgv: [] });
  thread.unref();
  const waiting = new Map<number, Waiting>();
  let [asked, dead]: [number, string | undefined] = [0, undefined];

  const onDeath = (why: string): void => {
    dead ??= why;
    for (const { reject } of waiting.values()) reject(unavailable(dead));
    waiting.clear();
  };
  thread.on('error', (error) => onDeath(error.message));
  thread.on('exit', () => onDeath('its thread has ended'));
  thread.on('message', (answer: SearchAnswer) => {
    const asker = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('fault' in answer) asker?.reject(new WeighbridgeError(answer.fault.code, answer.fault.message));
    else asker?.resolve(answer);
  });

  const ask = async (request: Asked): Promise<Answered> => {
    if (dead !== undefined) throw unavailable(dead);
    if (waiting.size >= MAX_SEARCHES) throw unavailable('too many searches are under way');
    asked += 1;
    const id = asked;
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    waiting.set(id, { resolve, reject });
    const timer = setTimeout(() => reject(unavailable('the search takes too long')), SEARCH_TIMEOUT);
    thread.postMessage({ id, ...request } satisfies SearchRequest);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };

  return {
    async search(query, paging) {
      const answer = await ask({ query, paging });
      if ('page' in answer) return answer.page;
      throw unavailable('the answer is to another question');
    },
    async tree(question) {
      const answer = await ask({ question });
      if ('bytes' in answer) return answer.bytes;
      throw unavailable('the answer is to another question');
    },
    async impact(key, narrow) {
      const answer = await ask({ key, narrow });
      if ('impact' in answer) return answer.impact;
      throw unavailable('the answer is to another question');
    },
    async close() {
      if (dead !== undefined) return;
      thread.ref();
      const ended = once(thread, 'exit');
      const impatient = setTimeout(() => void thread.terminate(), CLOSE_TIMEOUT);
      thread.postMessage('close' satisfies SearchRequest);
      await ended;
      clearTimeout(impatient);
    },
  };
};

const unavailable = (why: string): WeighbridgeError =>
  new WeighbridgeError('LOG_UNAVAILABLE', `the access log cannot be searched: ${why}`);
