import { isFault, WeighbridgeError } from '../errors.ts';
import { decoded, isEncoded } from './decode.ts';
import { asFault, backoff, isTransient, type Patience, pause, retryAfter } from './patience.ts';
import { discard, type Headers, type Reply, type Sender } from './send.ts';

/** Bytes that count as progress: an upstream that brings less each time is given up in the end. */
const PROGRESS = 64 * 1024;
/** How long a redirect to a signed URL is used again, in ms, so that ranges of one file do not ask twice each. */
const REDIRECT_LIFE = 30_000;
/** Redirects remembered. */
const MAX_REDIRECTS_KEPT = 2_000;
/** A length that differs is looked at again: a cache on the way may hold a short object. */
const MISMATCHES = 4;

type Range = { readonly start: number; readonly end: number; readonly size: number };
type Wanted = {
  readonly path: string;
  readonly headers: Headers;
  readonly range: Range;
  readonly signal?: AbortSignal | undefined;
  readonly room?: ((ahead: number) => Uint8Array) | undefined;
};
type Place = { readonly origin: string; readonly path: string };
type Redirects = Map<string, Place & { readonly until: number }>;

export type Download = (wanted: Wanted) => AsyncGenerator<Uint8Array>;

/** Downloads that survive cuts, stalls, resets, 429, 5xx and expired redirects; see `Upstream.download`. */
export const createDownload = (sender: Sender, patience: Patience, largeFrom: number): Download => {
  const redirects: Redirects = new Map();
  const { host } = new URL(sender.origin);

  return async function* download(wanted) {
    const { range, signal } = wanted;
    let position = range.start;
    let progress = position;
    let failures = 0;
    let mismatches = 0;
    let etag: string | undefined;
    while (position < range.end) {
      try {
        const large = range.end - position >= largeFrom;
        const reply = await open(sender, redirects, wanted, position, etag, large);
        const bytes = bytesOf(reply, position, range, etag);
        etag ??= strong(reply.headers['etag']);
        for await (const chunk of bytes) {
          position += chunk.length;
          yield chunk;
          if ('dump' in reply.body) release(chunk);
        }
        if (position < range.end) throw early(reply, position, range);
      } catch (error) {
        const fault = asFault(error, host, signal);
        if (position - progress >= PROGRESS) failures = mismatches = 0;
        progress = position;
        failures += 1;
        if (isFault(fault, 'UPSTREAM_MISMATCH')) mismatches += 1;
        if (!mayResume(fault, mismatches) || failures >= patience.downloadAttempts) throw fault;
        const asked = fault.details['retryAfter'];
        const wait = typeof asked === 'number' ? asked : backoff(patience, failures, patience.longestDownloadPause);
        await pause(Math.min(wait, patience.longestDownloadPause), signal);
      }
    }
  };
};

/**
 * Frees the memory of a chunk at once. Left to the garbage collector, every 64 MiB that arrive cost a collection of the
 * whole heap. Only a buffer that has no bytes beside the chunk's is nobody else's.
 */
const release = ({ buffer, byteLength }: Uint8Array): void => {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
};

const mayResume = (fault: WeighbridgeError, mismatches: number): boolean =>
  fault.code === 'UPSTREAM_UNREACHABLE' || (fault.code === 'UPSTREAM_MISMATCH' && mismatches < MISMATCHES);

/**
 * Why a body ended at `position` without an error. One that tells its own end was sent that way; one that ends with its
 * connection may have been cut, and a range may be shorter than the one asked for (RFC 9110, 15.3.7).
 */
const early = (reply: Reply, position: number, { end, size }: Range): WeighbridgeError => {
  const { 'transfer-encoding': transfer, 'content-encoding': encoding } = reply.headers;
  const promised = reply.status === 206 ? Number(contentRange(reply)?.[2]) + 1 : size;
  const toldEnd = transfer !== undefined || isEncoded(encoding);
  if (toldEnd && position < promised) return mismatch(reply, `a body that ends at byte ${position} of ${promised}`);
  const { host } = new URL(reply.origin);
  return new WeighbridgeError('UPSTREAM_UNREACHABLE', `${host}: the body ended early, at byte ${position} of ${end}`);
};

/** Asks for the rest of the file, at a remembered redirect or from the start. */
const open = async (
  sender: Sender,
  redirects: Redirects,
  { path, headers, range, signal, room }: Wanted,
  position: number,
  etag: string | undefined,
  large: boolean,
): Promise<Reply> => {
  const key = `${headers['authorization'] ?? ''}\n${path}`;
  const known = redirects.get(key);
  const usable = known !== undefined && known.until > performance.now();
  const whole = position === 0 && range.end === range.size;
  const conditions = {
    ...(whole ? {} : { range: `bytes=${position}-${range.end - 1}` }),
    ...(whole || etag === undefined ? {} : { 'if-range': etag }),
  };
  const from = usable ? known : sender.place(path);
  const hop = { ...from, method: 'GET' as const, headers: { ...headers, ...conditions }, signal, large, room };
  const reply = await sender.follow(hop, true);
  const foreign = reply.origin !== sender.origin;
  if (reply.status === 200 || reply.status === 206) {
    if (foreign && !usable) remember(redirects, key, reply);
    return reply;
  }
  redirects.delete(key);
  await discard(reply);
  throw refusal(reply, foreign, range.size);
};

const remember = (redirects: Redirects, key: string, { origin, path }: Place): void => {
  const oldest = redirects.keys().next().value;
  if (redirects.size >= MAX_REDIRECTS_KEPT && oldest !== undefined) redirects.delete(oldest);
  redirects.set(key, { origin, path, until: performance.now() + REDIRECT_LIFE });
};

/** An error status as a fault: what may pass is UPSTREAM_UNREACHABLE, so that it is tried again. */
const refusal = ({ status, headers, origin }: Reply, foreign: boolean, size: number): WeighbridgeError => {
  const host = new URL(origin).host;
  if (status === 416) {
    const total = headers['content-range'] ?? 'no length';
    return new WeighbridgeError('UPSTREAM_MISMATCH', `${host}: has ${total} where ${size} bytes were listed`, { host });
  }
  const expired = foreign && [401, 403, 404, 410].includes(status);
  const pauseFor = expired ? 0 : retryAfter(headers['retry-after'], Date.now());
  const details = { host, status, ...(pauseFor === undefined ? {} : { retryAfter: pauseFor }) };
  const code = expired || isTransient(status) ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_REFUSED';
  return new WeighbridgeError(code, `${host}: answered ${status}`, details);
};

/** Checks that the answer is of the file that was listed, and gives its bytes from `position` to `range.end`. */
const bytesOf = (reply: Reply, position: number, range: Range, etag: string | undefined): AsyncIterable<Uint8Array> => {
  const encoding = reply.headers['content-encoding'];
  const other = (strong(reply.headers['etag']) ?? etag) !== etag && etag !== undefined;
  const length = reply.status === 206 ? partProblem(reply, position, range.size) : wholeProblem(reply, range.size);
  const problem = other ? 'a file that changed meanwhile (another ETag)' : length;
  if (problem !== undefined) {
    reply.body.destroy();
    throw mismatch(reply, problem);
  }
  const skip = reply.status === 206 ? 0 : position;
  return cutOut(reply, decoded(reply.body, encoding), skip, range.end - position, range.end === range.size);
};

const contentRange = ({ headers }: Reply): RegExpExecArray | null =>
  /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');

const partProblem = (reply: Reply, position: number, size: number): string | undefined => {
  const { headers } = reply;
  if (isEncoded(headers['content-encoding'])) return 'a range of an encoded body';
  const match = contentRange(reply);
  if (match === null) return 'a range without a valid Content-Range';
  if (Number(match[1]) !== position) return `a range from ${match[1]} where ${position} was asked for`;
  if (match[3] !== '*' && Number(match[3]) !== size) return `${match[3]} bytes where ${size} were listed`;
  const promised = Number(match[2]) - position + 1;
  const length = headers['content-length'];
  if (length === undefined || Number(length) === promised) return undefined;
  return `${length} bytes of a body where its Content-Range has ${promised}`;
};

const wholeProblem = ({ headers }: Reply, size: number): string | undefined => {
  const length = headers['content-length'];
  if (length === undefined || isEncoded(headers['content-encoding']) || Number(length) === size) return undefined;
  return `${length} bytes where ${size} were listed`;
};

/** Leaves out the first `skip` bytes and gives the `length` after them; more than that at the end is a mismatch. */
async function* cutOut(
  reply: Reply,
  chunks: AsyncIterable<Uint8Array>,
  skip: number,
  length: number,
  toEnd: boolean,
): AsyncGenerator<Uint8Array> {
  let ahead = skip;
  let left = length;
  for await (const chunk of chunks) {
    const from = Math.min(ahead, chunk.length);
    ahead -= from;
    const size = chunk.length - from;
    if (size > left && toEnd) throw mismatch(reply, 'more bytes than were listed');
    const give = Math.min(size, left);
    left -= give;
    if (give > 0) yield give === chunk.length ? chunk : chunk.subarray(from, from + give);
    if (left === 0 && !toEnd) return;
  }
}

const mismatch = (reply: Reply, problem: string): WeighbridgeError => {
  const { host } = new URL(reply.origin);
  return new WeighbridgeError('UPSTREAM_MISMATCH', `${host}: sent ${problem}`, { host });
};

/** A strong validator, or nothing. */
const strong = (etag: string | undefined): string | undefined => (etag?.startsWith('"') ? etag : undefined);
