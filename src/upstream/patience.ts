import { setTimeout as sleep } from 'node:timers/promises';
import { isFault, WeighbridgeError } from '../errors.ts';

/** How long upstream is waited for, in ms, and how often it is asked again. */
export type Patience = {
  /** TCP and TLS together. Short, since a Hub client gives up on a HEAD after 10 s. */
  readonly connect: number;
  /** From a request to its headers. */
  readonly headers: number;
  /** Between two chunks of a body: longer is a stall. */
  readonly stall: number;
  /** Requests for one piece of metadata. */
  readonly attempts: number;
  /** Attempts at a download, counted anew whenever one of them brought `PROGRESS` bytes. */
  readonly downloadAttempts: number;
  /** First pause before asking again; doubled each time. */
  readonly backoff: number;
  /** Longest pause for a piece of metadata; a Retry-After beyond is handed to the client. */
  readonly longestPause: number;
  /** Longest pause in a download, also against a Retry-After. */
  readonly longestDownloadPause: number;
};

export const DEFAULT_PATIENCE: Patience = {
  connect: 4_000,
  headers: 20_000,
  stall: 20_000,
  attempts: 3,
  downloadAttempts: 6,
  backoff: 200,
  longestPause: 2_000,
  longestDownloadPause: 30_000,
};

/** Statuses that say "later". */
export const isTransient = (status: number): boolean =>
  status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);

/** What Retry-After asks for in ms: seconds, or a date. Undefined when it is absent or nonsense. */
export const retryAfter = (value: string | undefined, now: number): number | undefined => {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
};

/** The pause before attempt number `failures` + 1: doubled each time, with jitter so that many do not come at once. */
export const backoff = (patience: Patience, failures: number, longest: number): number =>
  Math.min(patience.backoff * 2 ** (failures - 1), longest) * (0.75 + Math.random() / 2);

/** Waits; throws CANCELLED when `signal` fires. */
export const pause = async (ms: number, signal: AbortSignal | undefined): Promise<void> => {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    throw new WeighbridgeError('CANCELLED', 'the wait for upstream was given up', {}, { cause: error });
  }
};

/** What went wrong on the wire, as a fault: CANCELLED when `signal` fired, UPSTREAM_UNREACHABLE otherwise. */
export const asFault = (error: unknown, host: string, signal: AbortSignal | undefined): WeighbridgeError => {
  if (isFault(error)) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  if (isFault(cause.cause)) return cause.cause;
  if (signal?.aborted) return new WeighbridgeError('CANCELLED', 'the request was given up', { host }, { cause });
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
  return new WeighbridgeError('UPSTREAM_UNREACHABLE', `${host}: ${words(code)}`, { host, code }, { cause });
};

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name could not be resolved',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time allowed',
  UND_ERR_HEADERS_TIMEOUT: 'no answer within the time allowed',
  UND_ERR_BODY_TIMEOUT: 'the body stalled',
  UND_ERR_SOCKET: 'the connection ended early',
};

const words = (code: string): string => (WORDS[code] === undefined ? code : `${WORDS[code]} (${code})`);
