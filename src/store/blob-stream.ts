/** Bytes of a chunk while few are served: each costs a read in another thread and a write, whatever its size. */
const LARGE_CHUNK = 1024 * 1024;
/** The same beside many others, so that memory stays bounded however slowly they take their bytes. */
const SMALL_CHUNK = 128 * 1024;
/** Streams that may have large chunks at the same time. */
const MAX_LARGE = 16;

/** Fills `into` from `position` of a file; rejects when the file ends before. */
export type ReadInto = (into: Uint8Array, position: number) => Promise<void>;

/** The size of the chunks of a new stream that has `wanted` bytes; call `release` when it ends. */
export const claimChunk = (wanted: number): { readonly bytes: number; readonly wide: boolean; release(): void } => {
  const wide = wanted > SMALL_CHUNK && large < MAX_LARGE;
  if (wide) large += 1;
  return {
    wide,
    bytes: Math.min(wide ? LARGE_CHUNK : SMALL_CHUNK, wanted),
    release() {
      if (wide) large -= 1;
    },
  };
};
let large = 0;

/**
 * The bytes from `start` to `end` (exclusive). Two buffers take turns, one being read into while the other is sent: a
 * chunk may be overwritten as soon as the next one is asked for. Memory that is new for each chunk costs more than
 * reading and sending together, since the system clears it.
 */
export async function* streamOf(readInto: ReadInto, start: number, end: number): AsyncGenerator<Uint8Array> {
  const chunk = claimChunk(end - start);
  try {
    yield* inTurns(readInto, start, end, chunk.bytes);
  } finally {
    chunk.release();
  }
}

async function* inTurns(
  readInto: ReadInto,
  start: number,
  end: number,
  chunkBytes: number,
): AsyncGenerator<Uint8Array> {
  let [now, other]: [Buffer | undefined, Buffer | undefined] = [undefined, undefined];
  const next = (position: number): Promise<Uint8Array> | undefined => {
    if (position >= end) return undefined;
    [now, other] = [other ?? Buffer.allocUnsafeSlow(chunkBytes), now];
    const chunk = now.subarray(0, end - position);
    const reading = readInto(chunk, position).then(() => chunk);
    // A failure of what is read ahead is told when its turn comes, not before.
    reading.catch(() => undefined);
    return reading;
  };
  let position = start;
  for (let ahead = next(start); ahead !== undefined; ) {
    const chunk = await ahead;
    position += chunk.length;
    ahead = next(position);
    yield chunk;
  }
}
