import type { AccessLog, Entry } from '../audit/types.ts';
import { isFault, WeighbridgeError } from '../errors.ts';
import type { BlobHandle, Blobs, BlobWriter } from '../store/types.ts';
import { briefly } from './brief.ts';
import type { RunningBodies } from './orders/running.ts';
import type { ByteRange } from './types.ts';
import { type Timings, within } from './waiting.ts';

/** Where bytes leave: what enters them in the log, and what may cut them. */
export type Gate = { readonly log: AccessLog; readonly running: RunningBodies };

/** Opens a blob that was stored just now. Rejects with STORE_FULL when others needed its room at once. */
export const openStored = async (blobs: Blobs, sha256: string): Promise<BlobHandle> => {
  const blob = await blobs.open(sha256);
  if (blob !== undefined) return blob;
  throw new WeighbridgeError('STORE_FULL', `blob ${sha256} had to make room before it could be served`);
};

/** Bytes of an open blob, which cannot be evicted until they are taken or left. */
const fromBlob = (blob: BlobHandle, range: ByteRange): AsyncIterable<Uint8Array> => {
  const steps = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* blob.stream(range.start, range.end);
    } finally {
      await blob.close();
    }
  };
  return orLeft(steps(), () => blob.close());
};

/**
 * The bytes of an open blob, the decision being in the log before the first of them leaves, the outcome when they end.
 * Closes the blob, also when the decision cannot be entered.
 */
export const releaseBlob = async (
  gate: Gate,
  blob: BlobHandle,
  range: ByteRange,
  entry: Omit<Entry, 'kind'>,
  served: NonNullable<Entry['served']>,
): Promise<AsyncIterable<Uint8Array>> => {
  try {
    await gate.log.append({ ...entry, kind: 'artefact.decision' });
  } catch (error) {
    await blob.close();
    throw error;
  }
  return entered(fromBlob(blob, range), range, gate, () => ({ ...entry, served }));
};

/** The steps of a generator. One that is left before its first step runs nothing: `left` is called in its place. */
const orLeft = (steps: AsyncGenerator<Uint8Array>, left: () => Promise<void>): AsyncIterable<Uint8Array> => {
  let begun = false;
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      begun = true;
      return steps.next();
    },
    async return() {
      if (!begun) await left();
      begun = true;
      return steps.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
};

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
 * has left. A chunk counts once the next one is asked for. No further chunk leaves once they are to be cut.
 */
export const entered = (
  body: AsyncIterable<Uint8Array>,
  range: ByteRange,
  { log, running }: Gate,
  entry: () => Omit<Entry, 'kind'>,
): AsyncIterable<Uint8Array> => {
  const began = performance.now();
  const going = running.join(entry);
  let bytes = 0;
  const tell = (detail: Pick<Entry, 'detail' | 'decision'> = {}): void => {
    going.leave();
    const { served, ...rest } = entry();
    log.enqueue({
      ...rest,
      kind: 'artefact.outcome',
      served: { status: 200, release: 'none', ...served, bytes, complete: bytes === range.end - range.start },
      ...detail,
      ms: Math.round(performance.now() - began),
    });
  };
  const steps = async function* (): AsyncGenerator<Uint8Array> {
    let detail = {};
    try {
      await going.begin();
      for await (const chunk of body) {
        if (going.stopped !== undefined) throw going.stopped.fault;
        const { length } = chunk;
        yield chunk;
        bytes += length;
      }
    } catch (error) {
      const decision = going.stopped?.decision;
      detail = { detail: { fault: faultCode(error) }, ...(decision !== undefined && { decision: briefly(decision) }) };
      throw error;
    } finally {
      tell(detail);
    }
  };
  return orLeft(steps(), async () => {
    tell();
    await body[Symbol.asyncIterator]().return?.();
  });
};

/** How an entry names what went wrong. */
export const faultCode = (error: unknown): string => (isFault(error) ? error.code : 'INTERNAL');
