import { setTimeout as sleep } from 'node:timers/promises';
import { type LoggedEntry, parseEntry } from '../../audit/entry.ts';
import { type Cursor, linesFrom } from '../../audit/index-source.ts';
import { listSegments } from '../../audit/layout.ts';
import type { AccessLog } from '../../audit/types.ts';
import { compileGlob } from '../../policy/glob.ts';
import type { Records } from '../../store/types.ts';

/** What a stream sends one entry with. Rejects when it did not arrive; it is then sent again. */
export type Deliver = (entry: LoggedEntry, index: number, line: string) => Promise<void>;

export type StreamOptions = {
  /** Names the stream for ever: how far it is, is kept under this. */
  readonly name: string;
  /** Kinds of entry that are sent: names or globs. */
  readonly kinds: readonly string[];
  readonly deliver: Deliver;
  /** The folder of the log. */
  readonly directory: string;
  readonly log: Pick<AccessLog, 'size'>;
  readonly records: Pick<Records, 'get' | 'put'>;
  /** Told once when entries do not arrive, and once when they do again. */
  readonly tell: (problem: string | undefined) => void;
  /** ms between two looks, and before the first of the retries. */
  readonly pause?: number;
};

export type Stream = { close(): Promise<void> };

const PAUSE = 500;
/** ms before a retry at most. */
const LONGEST_PAUSE = 300_000;
/** Entries after which it is kept how far the stream is, at the latest. */
const KEEP_EVERY = 100;

/**
 * Sends the entries of the log to somewhere else, in order, each at least once, from where this stream was; a new one begins
 * with what comes. The log is the outbox: nothing is lost, and memory does not grow, however long nobody takes them.
 */
export const startStream = async (options: StreamOptions): Promise<Stream> => {
  const { deliver, directory, kinds, log, name, records, tell, pause = PAUSE } = options;
  const wanted = kinds.map(compileGlob);
  const closing = new AbortController();
  const { signal } = closing;
  let next = (await records.get('stream', name))?.next ?? log.size;
  let kept = -1;
  let cursor: Cursor | undefined;
  const keep = async (): Promise<void> => {
    if (kept === next) return;
    await records.put('stream', name, { next });
    kept = next;
  };
  await keep();

  /** Resolves when it arrived; rejects only when the stream is closed. */
  const arrive = async (entry: LoggedEntry, index: number, line: string): Promise<void> => {
    for (let wait = pause, failed = false; ; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
      try {
        await deliver(entry, index, line);
        if (failed) tell(undefined);
        return;
      } catch (error) {
        if (!failed) tell(error instanceof Error ? error.message : String(error));
        failed = true;
        await keep();
        await sleep(wait, undefined, { signal, ref: false });
      }
    }
  };

  /** Where to read on; in a segment that has ended lines may stand elsewhere by now. */
  const begin = (): Cursor => {
    const segments = listSegments(directory);
    if (cursor !== undefined && cursor.position === next && cursor.segment === segments.at(-1)?.first) return cursor;
    const first = segments.findLast((segment) => segment.first <= next)?.first ?? 0;
    return { position: first, segment: first, offset: 0 };
  };

  const send = async (): Promise<void> => {
    for await (const lines of linesFrom(directory, begin())) {
      for (const { line, place, position } of lines) {
        if (position < next) continue;
        // What is behind may be taken back.
        if (position >= log.size || signal.aborted) return;
        const text = line.toString();
        const entry = parseEntry(text);
        if (entry !== undefined && wanted.some((accepts) => accepts(entry.kind))) await arrive(entry, position, text);
        next = position + 1;
        cursor = { position: next, segment: place.segment, offset: place.offset + place.length + 1 };
        if (next - kept >= KEEP_EVERY) await keep();
      }
    }
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      if (log.size > next) await send();
      await keep();
      await sleep(pause, undefined, { signal, ref: false });
    }
  };
  const running = run().catch((error: unknown) => {
    if (!signal.aborted) tell(`the stream has ended: ${error instanceof Error ? error.message : String(error)}`);
  });
  return {
    async close() {
      closing.abort();
      await running;
      await keep().catch(() => undefined);
    },
  };
};
