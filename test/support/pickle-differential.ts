import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBudget } from '../../src/bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../src/bytes/random-access.ts';
import type { Context } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { runPickle } from '../../src/formats/pickle/machine.ts';
import { DIFFERENCES } from './pickle-differences.ts';
import { createStreams, MARKER } from './pickle-streams.ts';
import { tokensOf } from './pickle-tokens.ts';
import { type Pickletools, startPickletools } from './pickletools.ts';

/** Streams that travel together, and that have one seed. */
const BATCH = 1000;
/** Streams between two that are also inspected as a file. */
const INSPECTED = 200;
/** Batches after which pickletools is started anew: what it may have kept of them is gone. */
const RESTART = 50;
/** What the machine may spend on a stream: steps in batches of 1024, reads of its bytes some times over. */
const STEPS = 8192;
const READS = 40;

export type Comparison = {
  streams: number;
  tokens: number;
  /** Streams that both read to STOP, and that both refuse at the same opcode. */
  stopped: number;
  refused: number;
  /** Streams that the machine runs to STOP: its stack agrees with them too. */
  ran: number;
  /** Documented differences by name. */
  readonly explained: Map<string, number>;
  /** Everything else, as text; must stay empty. */
  readonly unexplained: string[];
};

/**
 * Reads `count` generated streams with the machine and with pickletools. Same tokens, same end, or a documented
 * difference; the machine never throws, stays in its budget and breaks only where an opcode begins. Throws when
 * something was executed.
 */
export const compareStreams = async (
  count: number,
  seed: number,
  progress?: (done: Comparison) => void,
): Promise<Comparison> => {
  const comparison: Comparison = {
    streams: 0,
    tokens: 0,
    stopped: 0,
    refused: 0,
    ran: 0,
    explained: new Map(),
    unexplained: [],
  };
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-pickletools-'));
  let oracle = startPickletools(folder);
  try {
    for (let batch = 0; batch * BATCH < count; batch++) {
      if (batch > 0 && batch % RESTART === 0) {
        await oracle.close();
        oracle = startPickletools(folder);
      }
      const next = createStreams(seed + batch);
      await compareBatch(Array.from({ length: Math.min(BATCH, count - batch * BATCH) }, next), oracle, comparison);
      progress?.(comparison);
    }
  } finally {
    await oracle.close();
  }
  for (const place of [folder, process.cwd()])
    if (existsSync(join(place, MARKER))) throw new Error(`a stream was executed: ${join(place, MARKER)} exists`);
  rmSync(folder, { recursive: true });
  return comparison;
};

const compareBatch = async (streams: readonly Uint8Array[], oracle: Pickletools, into: Comparison): Promise<void> => {
  const asked = oracle.digests(streams);
  const ours = streams.map((stream) => {
    const { tokens, end, stopped } = tokensOf(stream);
    into.tokens += tokens.length;
    checkRun(stream, tokens, end, stopped, into);
    return [...tokens, `${stopped ? 'stopped' : 'broken'} at ${end}`];
  });
  const theirs = await asked;
  for (const [index, stream] of streams.entries()) {
    into.streams += 1;
    if (into.streams % INSPECTED === 0) inspect(fromBytes(stream));
    const own = ours[index] ?? [];
    if (hash('sha256', own.join('\n')).slice(0, 32) !== theirs[index])
      explain(stream, own, await oracle.lines(stream), into);
    else if (own.at(-1)?.startsWith('stopped')) into.stopped += 1;
    else into.refused += 1;
  }
};

const hexOf = (stream: Uint8Array): string => Buffer.from(stream.subarray(0, 2000)).toString('hex');

/** Goes through both readings and says why they differ; from the first opcode that one of them refuses nothing follows. */
const explain = (stream: Uint8Array, ours: readonly string[], theirs: readonly string[], into: Comparison): void => {
  let explained = false;
  for (let index = 0; index < Math.max(ours.length, theirs.length); index++) {
    const [own = '', other = ''] = [ours[index], theirs[index]];
    if (own === other) continue;
    const at = positionOf(own);
    const difference = DIFFERENCES.find(
      ({ applies }) => at === positionOf(other) && applies(stream, at, own, other, index),
    );
    if (difference === undefined) {
      into.unexplained.push(`ours ${own}\ntheirs ${other}\n${hexOf(stream)}`);
      return;
    }
    explained = true;
    into.explained.set(difference.name, (into.explained.get(difference.name) ?? 0) + 1);
    if (/^(?:broken|stopped)/.test(own) || /^(?:broken|stopped)/.test(other)) return;
  }
  if (!explained) into.unexplained.push(`same lines, another digest\n${hexOf(stream)}`);
};

/** `NAME position operand` or `broken at position`. */
const positionOf = (line: string): number => Number(/^\w+ (?:at )?(\d+)/.exec(line)?.[1]);

/** Runs the stream as the machine does, with a stack: it may break earlier, at an opcode, but never end elsewhere. */
const checkRun = (
  stream: Uint8Array,
  tokens: readonly string[],
  end: number,
  stopped: boolean,
  into: Comparison,
): void => {
  const budget = createBudget();
  let read = 0;
  const plain = fromBytes(stream);
  const source: RandomAccess = {
    size: plain.size,
    read(offset, length) {
      read += length;
      return plain.read(offset, length);
    },
  };
  const context: Context = {
    path: [],
    budget,
    provisional: false,
    report: () => undefined,
    nested: (member) => inspect(member),
  };
  const wrong = (what: string): unknown => into.unexplained.push(`${what}\n${hexOf(stream)}`);
  const run = runPickle(source, 0, { context });
  if (budget.spent('steps') > STEPS) wrong(`${budget.spent('steps')} steps for ${stream.length} bytes`);
  if (read > READS * (stream.length + 1)) wrong(`${read} bytes read of ${stream.length}`);
  if (run.stopped) {
    into.ran += 1;
    if (!stopped || run.end !== end) wrong(`runs to ${run.end}, its tokens end at ${end}`);
  } else if (run.end !== end && !tokens.some((token) => positionOf(token) === run.end))
    wrong(`breaks at ${run.end}, where no opcode begins`);
};
