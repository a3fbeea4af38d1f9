import type { AccessLog, Entry } from '../audit/types.ts';
import { isFault } from '../errors.ts';
import type { Blobs, BlobWriter } from '../store/types.ts';
import type { ByteRange } from './types.ts';
import { type Timings, within } from './waiting.ts';

/** Bytes of a stored blob; the blob stays open, and so cannot be evicted, until the last byte is taken. */
export async function* fromStore(blobs: Blobs, sha256: string, range: ByteRange): AsyncGenerator<Uint8Array> {
  const blob = await blobs.open(sha256);
  if (blob === undefined) throw new Error(`blob ${sha256} was evicted between the decision and the first byte`);
  try {
    yield* blob.stream(range.start, range.end);
  } finally {
    await blob.close();
  }
}

/**
 * Bytes of a file that is still being written, up to `range.end`, which is the file's end. The last `withheld` bytes stay
 * back until `verdict` resolves; meanwhile a byte now and then keeps the client from giving up, never below the floor.
 * Rejects with the verdict's fault, so that the client sees a short body.
 */
export async function* withhold(
  writer: BlobWriter,
  range: ByteRange,
  verdict: Promise<unknown>,
  timings: Timings,
): AsyncGenerator<Uint8Array> {
  const seal = Math.max(range.end - timings.withheld, range.start);
  const floor = Math.max(range.end - timings.floor, range.start);
  if (seal > range.start) yield* writer.follow(range.start, seal);
  let at = seal;
  const judged = verdict.then(() => true as const);
  judged.catch(() => undefined);
  while ((await within(judged, timings.keepAlive)) === undefined) {
    if (at >= floor || at >= writer.size) continue;
    yield await writer.read(at, 1);
    at += 1;
  }
  if (at < range.end) yield* writer.follow(at, range.end);
}

/**
 * The same bytes, with the outcome entered in the log when they end, however they end; complete when the whole `range`
 * has left.
 */
export async function* entered(
  body: AsyncIterable<Uint8Array>,
  range: ByteRange,
  log: AccessLog,
  entry: () => Omit<Entry, 'kind'>,
): AsyncGenerator<Uint8Array> {
  const began = performance.now();
  let bytes = 0;
  let fault: unknown;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    fault = error;
    throw error;
  } finally {
    const { served, ...rest } = entry();
    log.enqueue({
      ...rest,
      kind: 'artefact.outcome',
      served: { status: 200, release: 'none', ...served, bytes, complete: bytes === range.end - range.start },
      ...(fault === undefined ? {} : { detail: { fault: isFault(fault) ? fault.code : 'INTERNAL' } }),
      ms: Math.round(performance.now() - began),
    });
  }
}
