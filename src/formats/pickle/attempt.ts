import { createBudget } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { type Context, complete } from '../format.ts';
import { attackOf } from './attacks.ts';
import { OPCODE_NAMES, type OpcodeName } from './opcodes.ts';
import type { PickleRun, RunPickle } from './options.ts';

/** Opcodes of a trial: enough for a payload behind a long preface, and a stream that lasts longer is a pickle. */
const TRIAL_OPCODES = 20_000;

/** Opcodes that take something from the stack before they do anything else: a stream that begins with one breaks at once. */
export const TAKING: ReadonlySet<OpcodeName> = new Set([
  ...(['REDUCE', 'BUILD', 'OBJ', 'NEWOBJ', 'NEWOBJ_EX', 'STACK_GLOBAL', 'BINPERSID', 'MEMOIZE', 'DUP'] as const),
  ...(['TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'LIST', 'DICT', 'FROZENSET'] as const),
  ...(['APPEND', 'APPENDS', 'ADDITEMS', 'SETITEM', 'SETITEMS'] as const),
]);

/** Streams that a trial follows, one behind the other. */
const TRIAL_STREAMS = 8;

/** A context that keeps nothing: a trial only asks whether the bytes run. */
const silent = (): Context => ({
  path: [],
  budget: createBudget(),
  provisional: false,
  report: () => undefined,
  nested: (source) => ({ format: 'trial', content: 'unknown', coverage: complete(source.size) }),
});

/** What one stream does when it is tried out, without findings. */
export const tryWith = (run: RunPickle, source: RandomAccess, start: number, end: number): PickleRun =>
  run(source, start, { context: silent(), end, depth: 2, opcodes: TRIAL_OPCODES });

/**
 * True when a loader that reads a pickle at `start` would do something: the bytes begin with PROTO and an opcode, or,
 * without PROTO, streams follow each other to the end, or a call (or the import of a known attack) happens before they
 * break. Text and other binary formats break before that.
 */
export const looksLikeWith = (run: RunPickle, source: RandomAccess, start: number, end: number): boolean => {
  if (startsWithProto(source, start, end)) return true;
  if (start < end) {
    const first = OPCODE_NAMES[source.read(start, 1)[0] ?? 0];
    if (first === undefined || TAKING.has(first)) return false;
  }
  try {
    return runs(run, source, start, end);
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};

const startsWithProto = (source: RandomAccess, start: number, end: number): boolean => {
  const [first, protocol = 0, opcode] = source.read(start, Math.min(3, end - start));
  if (first !== 0x80 || protocol < 2 || protocol > 5) return false;
  return opcode === undefined || OPCODE_NAMES[opcode] !== undefined;
};

const runs = (run: RunPickle, source: RandomAccess, start: number, end: number): boolean => {
  let position = start;
  for (let stream = 0; stream < TRIAL_STREAMS && position < end; stream++) {
    const tried = tryWith(run, source, position, end);
    if (acts(tried)) return true;
    if (!tried.stopped) return stream > 0 && onlyBlank(source, position, end);
    position = tried.end;
  }
  return true;
};

/** True when the stream called something, imported a known attack, or goes on beyond the limits. */
const acts = (run: PickleRun): boolean =>
  ((run.limited || run.calls > 0) && run.globals.every(isName)) || run.globals.some(isAttack);

/** Accidental text imports names with blanks and punctuation in them; a loader stops there. */
const isName = (name: string): boolean => /^[\w.]+$/.test(name);

const isAttack = (name: string): boolean => {
  const dot = name.lastIndexOf('.');
  return attackOf(name.slice(0, dot), name.slice(dot + 1)) !== undefined;
};

const onlyBlank = (source: RandomAccess, start: number, end: number): boolean =>
  source
    .read(start, Math.min(end - start, 64))
    .every((byte) => byte === 0 || byte === 0x0a || byte === 0x0d || byte === 0x20);
