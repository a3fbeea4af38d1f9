import { Readable } from 'node:stream';
import { WeighbridgeError } from '../errors.ts';
import { decoded } from './decode.ts';
import { asFault, backoff, isTransient, type Patience, pause, retryAfter } from './patience.ts';
import type { Hop, Reply, Sender } from './send.ts';
import type { UpstreamAnswer } from './types.ts';

/** Bytes of one metadata answer. A listing with blobs of 100,000 files is about 30 MB. */
export const MAX_METADATA_BYTES = 64 * 1024 * 1024;

/**
 * A whole small answer. Resets, 429 and 5xx are asked again within `patience`; what is left in the end is a value if it
 * has a status, and UPSTREAM_UNREACHABLE if it has none. UPSTREAM_TOO_LARGE beyond 64 MiB, also when decoded.
 */
export const requestMetadata = async (sender: Sender, patience: Patience, hop: Hop): Promise<UpstreamAnswer> => {
  for (let failures = 1; ; failures++) {
    const last = failures >= patience.attempts;
    const outcome = await attempt(sender, hop);
    if (outcome instanceof WeighbridgeError) {
      if (last || !mayPass(outcome)) throw outcome;
      await pause(backoff(patience, failures, patience.longestPause), hop.signal);
      continue;
    }
    if (last || !isTransient(outcome.status)) return outcome;
    const wanted = retryAfter(outcome.headers['retry-after'], Date.now()) ?? backoff(patience, failures, Infinity);
    if (wanted > patience.longestPause) return outcome;
    await pause(wanted, hop.signal);
  }
};

/** Whether asking once more at once makes sense: not after a wait that already took the client's patience. */
const mayPass = (fault: WeighbridgeError): boolean =>
  fault.code === 'UPSTREAM_UNREACHABLE' && !/TIMEOUT|ENOTFOUND/.test(String(fault.details['code']));

const attempt = async (sender: Sender, hop: Hop): Promise<UpstreamAnswer | WeighbridgeError> => {
  try {
    const reply = await sender.follow(hop, false);
    const { 'content-encoding': _, ...headers } = reply.headers;
    return { status: reply.status, headers, body: await readBody(reply, MAX_METADATA_BYTES) };
  } catch (error) {
    return asFault(error, new URL(hop.origin).host, hop.signal);
  }
};

/** The whole body of an answer, decoded. Throws UPSTREAM_TOO_LARGE beyond `most` bytes. */
export const readBody = async (reply: Reply, most: number): Promise<Uint8Array> => {
  const declared = Number(reply.headers['content-length'] ?? 0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body = Readable.from(decoded(reply.body, reply.headers['content-encoding']));
  for await (const chunk of declared > most ? tooLarge(reply, most) : body) {
    size += chunk.length;
    if (size > most) tooLarge(reply, most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
};

const tooLarge = (reply: Reply, most: number): never => {
  reply.body.destroy();
  throw new WeighbridgeError('UPSTREAM_TOO_LARGE', `an answer of over ${most} bytes`, {
    host: reply.origin,
  });
};
