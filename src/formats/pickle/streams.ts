import { within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Content, type Context, type Coverage, complete, incomplete, worseContent } from '../format.ts';
import { runPickle } from './machine.ts';
import { OPCODE_NAMES } from './opcodes.ts';
import type { PickleOptions, PickleRun } from './options.ts';
import { DESERIALISATION } from './state.ts';
import { looksLikePickle } from './trial.ts';

/** Pickles one behind the other in a file; logs of experiments hold some thousand. */
const MAX_STREAMS = 100_000;

/** Bytes behind the last stream that are searched for another; a loader finds one there only by seeking. */
const MAX_SEARCHED = 4 * 1024 * 1024;

/** Places behind the last stream where a hidden one is tried. */
const MAX_TRIED = 256;

/** Blanks that editors and transports leave at an end. */
const FEW_BLANKS = 64;

/** What the streams of a file did together. */
export type StreamsRun = {
  readonly content: Content;
  readonly coverage: Coverage;
  readonly streams: number;
  readonly protocol: number;
  readonly opcodes: number;
  readonly calls: number;
  readonly globals: readonly string[];
  /** What the first stream loads. */
  readonly value: PickleRun['value'];
};

/** Runs every pickle from `start` to the end of the source (or `options.end`), and accounts for every byte. */
export const runStreams = (source: RandomAccess, start: number, options: PickleOptions): StreamsRun => {
  const end = options.end ?? source.size;
  const runs: PickleRun[] = [];
  let position = start;
  do {
    const run = runPickle(source, position, options);
    runs.push(run);
    position = run.end;
    within('pickle.streams', runs.length, MAX_STREAMS);
  } while (runs.at(-1)?.stopped === true && position < end && looksLikePickle(source, position, end));
  const last = runs.at(-1);
  const tail = last?.stopped === true && position < end ? readTail(source, position, end, options) : undefined;
  return {
    content: worseContent(tail?.content ?? 'inert', runs.map(({ content }) => content).reduce(worseContent)),
    coverage: coverageOf(last, start, position, end, tail),
    streams: runs.length,
    protocol: runs[0]?.protocol ?? 0,
    opcodes: sum(runs.map(({ opcodes }) => opcodes)),
    calls: sum(runs.map(({ calls }) => calls)),
    globals: [...new Set(runs.slice(0, MAX_TRIED).flatMap(({ globals }) => globals))],
    value: runs[0]?.value,
  };
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const coverageOf = (
  last: PickleRun | undefined,
  start: number,
  position: number,
  end: number,
  tail: Tail | undefined,
): Coverage => {
  if (last?.stopped !== true)
    return incomplete('partial', position - start, end - start, last?.fault ?? 'the stream breaks');
  if (tail !== undefined && !tail.blank)
    return incomplete('partial', position - start, end - start, 'bytes behind the last pickle mean nothing');
  return complete(end - start);
};

type Tail = { readonly blank: boolean; readonly content: Content };

/** Judges bytes behind the last STOP: blanks, or something that another reader may take for its own. */
const readTail = (source: RandomAccess, start: number, end: number, options: PickleOptions): Tail => {
  const searched = source.read(start, Math.min(end - start, MAX_SEARCHED));
  const content =
    searched.every(isBlank) && searched.length === end - start
      ? reportBlanks(options.context, start, end)
      : reportTail(source, start, searched, options);
  return { content, blank: content === 'inert' };
};

const isBlank = (byte: number): boolean =>
  byte === 0 || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const reportBlanks = (context: Context, start: number, end: number): Content => {
  context.report({
    rule: 'pickle.padding',
    severity: end - start > FEW_BLANKS ? 'low' : 'info',
    message: 'Blank bytes follow the last pickle.',
    offset: start,
    evidence: `${end - start} bytes`,
  });
  return 'inert';
};

/** First bytes of programs and archives that would run or open from the tail of a file. */
const MAGICS: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ['ELF program', [0x7f, 0x45, 0x4c, 0x46]],
  ['Windows program', [0x4d, 0x5a]],
  ['Mach-O program', [0xcf, 0xfa, 0xed, 0xfe]],
  ['script', [0x23, 0x21]],
  ['ZIP archive', [0x50, 0x4b, 0x03, 0x04]],
];

const reportTail = (source: RandomAccess, start: number, tail: Uint8Array, options: PickleOptions): Content => {
  const kind = MAGICS.find(([, magic]) => magic.every((byte, at) => tail[at] === byte))?.[0];
  options.context.report({
    rule: 'pickle.trailing',
    severity: kind === undefined ? 'medium' : 'high',
    message: `Bytes that are no pickle follow the last STOP${kind === undefined ? '' : `: ${kind}`}.`,
    offset: start,
    evidence: `${(options.end ?? source.size) - start} bytes`,
    refs: [...DESERIALISATION, 'CWE-436'],
  });
  return hiddenStreams(source, start, tail, options).reduce(worseContent, 'unknown');
};

/** Runs pickles that stand in the tail behind something else, where a loader that seeks would find them. */
const hiddenStreams = (source: RandomAccess, start: number, tail: Uint8Array, options: PickleOptions): Content[] => {
  const contents: Content[] = [];
  const firstFilled = tail.findIndex((byte) => !isBlank(byte));
  for (let at = firstFilled, tried = 0; at >= 0 && tried < MAX_TRIED; at = nextStart(tail, at + 1), tried += 1) {
    if (!looksLikePickle(source, start + at, options.end ?? source.size)) continue;
    const run = runPickle(source, start + at, options);
    contents.push(run.content);
    if (run.stopped) at = run.end - start - 1;
  }
  return contents;
};

const nextStart = (tail: Uint8Array, from: number): number => {
  for (let at = tail.indexOf(0x80, from); at >= 0; at = tail.indexOf(0x80, at + 1)) {
    const protocol = tail[at + 1] ?? 0;
    if (protocol >= 2 && protocol <= 5 && OPCODE_NAMES[tail[at + 2] ?? 0] !== undefined) return at;
  }
  return -1;
};
