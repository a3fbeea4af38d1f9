import { exceeded, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Content, type Context, printable, type Severity, worseContent } from '../format.ts';
import type { Stream } from './stream.ts';

/** Values inside each other; model objects nest some twenty deep. */
const DEPTH = 400;
/** Bytes of one string. */
const TEXT = 64 * 1024 * 1024;
/** Bytes of the name of a symbol. */
const SYMBOL = 10_000;

const HAS_ATTRIBUTES = 1 << 9;
const HAS_TAG = 1 << 10;

/** Codes of SEXP types and of the constants of serialize.c that may stand for nothing but themselves. */
const SYMBOL_TYPE = 1;
const STRING_BYTES = 9;
const ALTREP = 238;
/** Pairlists, and what is built like them. */
const PAIRS: readonly number[] = [2, 3, 5, 6, 17];
const CONSTANTS: ReadonlySet<number> = new Set([254, 253, 252, 251, 242, 241]);

/** What evaluates, or may when its owner is used: code, frames that hold code, and pointers into memory. */
const ACTIVE: ReadonlyMap<number, readonly [rule: string, message: string]> = new Map([
  [3, ['closure', 'a function: its code runs when something calls it']],
  [4, ['environment', 'an environment: its bindings replace what code finds under their names']],
  [5, ['promise', 'a promise: R evaluates it as soon as the value is looked at']],
  [6, ['call', 'an unevaluated call']],
  [7, ['special', 'a function of the interpreter']],
  [8, ['builtin', 'a function of the interpreter']],
  [17, ['dots', 'a list of promises']],
  [20, ['expression', 'a vector of unevaluated calls']],
  [21, ['byte-code', 'byte code of the interpreter']],
  [22, ['pointer', 'a pointer into memory']],
  [23, ['weak-reference', 'a weak reference, whose finalizer runs later']],
]);
/** What makes the reader load a package or ask a hook. */
const LOADING: ReadonlyMap<number, readonly [rule: string, message: string]> = new Map([
  [247, ['persistent', 'a persistent reference: the reader calls a hook']],
  [248, ['package', 'an environment of a package: the reader looks for the package']],
  [249, ['namespace', 'a namespace: the reader loads the package']],
]);
/** Alternative representations that hold numbers or texts; others open files. */
const ALTERNATIVES = new Set([
  ...['compact_intseq', 'compact_realseq', 'deferred_string'],
  ...['integer', 'real', 'logical', 'complex', 'raw', 'string', 'list'].map((name) => `wrap_${name}`),
]);
/** Bytes of one element of the plain vectors, and how many of them an element has. */
const VECTORS: ReadonlyMap<number, readonly [width: 1 | 4 | 8, parts: number]> = new Map([
  [10, [4, 1]],
  [13, [4, 1]],
  [14, [8, 1]],
  [15, [8, 2]],
  [24, [1, 1]],
]);

/** What the walk found out. */
export type Walked = { content: Content; values: number };

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `R: ${message}`, { offset });
};

/**
 * Walks one serialised value (R Internals 1.8; serialize.c). Vectors, pairlists, attributes and S4 slots are data;
 * everything that evaluates is reported. Throws the faults of a format.
 */
export const walkValue = (stream: Stream, context: Context): Walked => {
  const walked: Walked = { content: 'inert', values: 0 };
  /** Names of symbols; references count environments and pointers too. */
  const references: string[] = [];
  const reported = new Set<number>();

  const say = (type: number, severity: Severity, [rule, message]: readonly [string, string], offset: number): void => {
    walked.content = worseContent(walked.content, severity === 'high' ? 'active' : 'unknown');
    if (reported.has(type)) return;
    reported.add(type);
    const refs = ['CVE-2024-27322', 'CWE-502', 'AML.T0010'];
    context.report({ rule: `rds.${rule}`, severity, message, offset, evidence: printable(names()), refs });
  };
  const names = (): string => references.filter((name) => name !== '').join(' ');
  const count = (): number => {
    const at = stream.position;
    const length = stream.integer();
    if (length >= 0) return length;
    if (length !== -1) invalid('a negative length', at);
    const high = stream.integer();
    const low = stream.integer() >>> 0;
    if (high < 0 || high > 0xffff) invalid('a length beyond memory', at);
    return high * 2 ** 32 + low;
  };
  const many = (width: number): number => {
    const length = count();
    return within('R vector elements', length, Math.floor(stream.remaining() / width) + 1);
  };
  const stringBytes = (): string => {
    const length = stream.integer();
    if (length === -1) return '';
    if (length < 0) invalid('a negative length', stream.position);
    const bytes = stream.text(within('R string bytes', length, TEXT));
    return length > SYMBOL ? '' : String.fromCharCode(...bytes);
  };
  const stringVector = (depth: number): void => {
    if (stream.integer() !== 0) invalid('names where none may be', stream.position);
    for (let left = many(4); left > 0; left--) value(depth + 1);
  };
  const attributes = (flags: number, depth: number): void => {
    if ((flags & HAS_ATTRIBUTES) !== 0) value(depth + 1);
  };
  /** A chain of pairs is walked in a loop: it may be long. */
  const pairs = (first: number, depth: number): void => {
    let flags = first;
    let at = 0;
    for (;;) {
      attributes(flags, depth);
      if ((flags & HAS_TAG) !== 0) value(depth + 1);
      value(depth + 1);
      at = stream.position;
      flags = stream.integer();
      context.budget.spend('steps', 1);
      if (!PAIRS.includes(flags & 0xff)) break;
      judge(flags & 0xff, at);
    }
    item(flags, at, depth);
  };
  const judge = (type: number, at: number): void => {
    const active = ACTIVE.get(type);
    if (active) say(type, 'high', active, at);
    const loading = LOADING.get(type);
    if (loading) say(type, 'medium', loading, at);
  };
  const alternative = (at: number, depth: number): void => {
    firstSymbol = undefined;
    value(depth + 1);
    const name = firstSymbol ?? '';
    if (!ALTERNATIVES.has(name)) {
      const message = `an alternative representation that is not known: ${printable(name, 40)}`;
      say(ALTREP, /mmap/.test(name) ? 'high' : 'medium', ['alternative', message], at);
    }
    value(depth + 1);
    value(depth + 1);
  };
  /** The first symbol since it was cleared: representations name their class first. */
  let firstSymbol: string | undefined;

  const value = (depth: number): void => {
    const at = stream.position;
    item(stream.integer(), at, depth);
  };
  const item = (flags: number, at: number, depth: number): void => {
    if (depth > DEPTH) exceeded('R depth', DEPTH);
    context.budget.spend('steps', 1);
    walked.values += 1;
    const type = flags & 0xff;
    judge(type, at);
    if (CONSTANTS.has(type)) return;
    const vector = VECTORS.get(type);
    if (vector) {
      const [width, parts] = vector;
      const length = many(width === 1 ? 1 : 2);
      context.budget.spend('steps', length >> 6);
      stream.pass(length * parts, width);
      attributes(flags, depth);
      return;
    }
    switch (type) {
      case 255: {
        const index = flags >>> 8 === 0 ? stream.integer() : flags >>> 8;
        const name = references[index - 1];
        if (name === undefined) invalid('a reference to nothing', at);
        if (name !== '') firstSymbol ??= name;
        return;
      }
      case SYMBOL_TYPE: {
        if ((stream.integer() & 0xff) !== STRING_BYTES) invalid('a symbol without a name', at);
        const name = stringBytes();
        references.push(name);
        firstSymbol ??= name;
        return;
      }
      case 2:
      case 3:
      case 5:
      case 6:
      case 17:
        pairs(flags, depth);
        return;
      case 4:
        references.push('');
        stream.integer();
        for (let part = 0; part < 4; part++) value(depth + 1);
        return;
      case 7:
      case 8:
        stringBytes();
        return;
      case STRING_BYTES:
        stringBytes();
        attributes(flags, depth);
        return;
      case 16:
      case 19:
      case 20:
        for (let left = many(2); left > 0; left--) value(depth + 1);
        attributes(flags, depth);
        return;
      case 22:
        references.push('');
        value(depth + 1);
        value(depth + 1);
        attributes(flags, depth);
        return;
      case 23:
        references.push('');
        attributes(flags, depth);
        return;
      case 25:
        attributes(flags, depth);
        return;
      case 247:
      case 248:
      case 249:
        references.push('');
        stringVector(depth);
        return;
      case ALTREP:
        alternative(at, depth);
        return;
      // Byte code (21) has a grammar of its own and is refused whatever is in it: the walk ends there.
      default:
        invalid(`type ${type} is not known`, at);
    }
  };

  value(1);
  return walked;
};
