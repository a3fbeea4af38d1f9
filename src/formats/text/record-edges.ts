import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import type { RowRun } from '../dataset-rows.ts';

/** Bytes read at a time: one window of the reader. */
const BLOCK = 256 * KIB;
/** What readers separate cells by unless they are told otherwise, beside what was found to separate them. */
const USUAL = ',';

const FEED = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;

/** Where a reader of tables is (RFC 4180, as Python's csv and pandas read it): a mark opens a quoted cell only as its first byte. */
const STATE = { record: 0, cell: 1, plain: 2, quoted: 3, closed: 4, returned: 5 } as const;
type State = (typeof STATE)[keyof typeof STATE];

/**
 * Why the runs cannot be cut out of a table, or nothing when they can: each run begins and ends where a record does, also
 * for readers that take a comma for the separator. Otherwise one reader's row would be another's half. `mark` is where
 * the text begins.
 */
export const whyNotCut = (
  source: RandomAccess,
  runs: readonly RowRun[],
  separator: string,
  mark: number,
): string | undefined => {
  const edges = [...new Set(runs.flatMap(({ start, end }) => [start, end]))].filter((edge) => edge < source.size);
  const readers = [...new Set([separator, USUAL])].map((text) => ({
    separator: text.charCodeAt(0),
    state: STATE.record as State,
    next: 0,
  }));
  for (let offset = mark; offset < source.size; offset += BLOCK) {
    const bytes = source.read(offset, Math.min(BLOCK, source.size - offset));
    for (const reader of readers) {
      const problem = readOn(reader, bytes, offset, edges);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
};

type Reader = { readonly separator: number; state: State; next: number };

const readOn = (reader: Reader, bytes: Uint8Array, offset: number, edges: readonly number[]): string | undefined => {
  let { state } = reader;
  let edge = edges[reader.next] ?? -1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (state === STATE.returned && byte !== FEED) return 'some of its rows end with a carriage return alone';
    if (offset + at === edge) {
      if (state !== STATE.record) return 'readers do not agree where its rows begin';
      reader.next += 1;
      edge = edges[reader.next] ?? -1;
    }
    state = stateAfter(state, byte, reader.separator);
  }
  reader.state = state;
  return undefined;
};

const stateAfter = (state: State, byte: number, separator: number): State => {
  if (state === STATE.quoted) return byte === QUOTE ? STATE.closed : STATE.quoted;
  if (byte === QUOTE) {
    if (state === STATE.closed) return STATE.quoted;
    return state === STATE.plain ? STATE.plain : STATE.quoted;
  }
  if (byte === separator) return STATE.cell;
  if (byte === FEED) return STATE.record;
  return byte === RETURN ? STATE.returned : STATE.plain;
};
