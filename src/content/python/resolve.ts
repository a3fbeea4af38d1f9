import type { Token } from './tokens.ts';

/** A call found in the source: the dotted name it resolves to and its tokens. */
export type Call = {
  readonly path: string;
  /** Index of the token where its expression starts, and of its brackets. */
  readonly start: number;
  readonly open: number;
  readonly close: number;
};

/** Names as the source has bound them: `np` → `numpy`, `s` → `os.system`. */
export type Scope = ReadonlyMap<string, string>;

/** Builtins that matter; every other name that nothing binds gets a `?` in front, so that it equals no module. */
const BUILTINS = new Set([
  'eval',
  'exec',
  'compile',
  'execfile',
  'open',
  'getattr',
  'vars',
  'globals',
  'locals',
  '__import__',
  '__builtins__',
]);

/** Characters of a dotted name; longer ones are nobody's. */
const PATH = 300;

/** Pieces of a string that is joined from a list. */
const PARTS = 64;

type Chain = { readonly path: string; readonly end: number };

/**
 * Follows the expression that starts at a name: attributes, calls, items. What can be known without running is
 * resolved: imports and aliases, `getattr` and `__import__` with constant names, `__dict__`, `globals()`.
 */
export const createResolver = (tokens: readonly Token[], scope: Scope, found: (call: Call) => void) => {
  const known = new Map<number, Chain>();
  const is = (index: number, text: string): boolean => tokens[index]?.kind === 'sign' && tokens[index]?.text === text;

  const base = (name: string): string => scope.get(name) ?? (BUILTINS.has(name) ? name : `?${name}`);

  const follow = (start: number): Chain => {
    const before = known.get(start);
    if (before) return before;
    const first = tokens[start];
    let path = first?.kind === 'name' ? base(first.text) : '';
    let end = start + 1;
    for (;;) {
      if (is(end, '.') && tokens[end + 1]?.kind === 'name') {
        path = attribute(path, tokens[end + 1]?.text ?? '');
        end += 2;
      } else if (is(end, '(') && (tokens[end]?.match ?? -1) > end) {
        const close = tokens[end]?.match ?? end;
        found({ path, start, open: end, close });
        path = resultOf(path, end, close);
        end = close + 1;
      } else if (is(end, '[') && (tokens[end]?.match ?? -1) > end) {
        const close = tokens[end]?.match ?? end;
        path = itemOf(path, constant(end + 1, close));
        end = close + 1;
      } else break;
      if (path.length > PATH) path = '?';
    }
    const chain = { path, end };
    known.set(start, chain);
    return chain;
  };

  const resultOf = (path: string, open: number, close: number): string => {
    const [first, second] = split(open, close);
    if (first === undefined) return `${path}()`;
    if (path === '__import__' || path === 'importlib.import_module')
      return constant(first.from, first.to) ?? `${path}()`;
    if (path === 'getattr' && second !== undefined) {
      const name = constant(second.from, second.to);
      return name === undefined ? 'getattr()' : attribute(follow(first.from).path, name);
    }
    const [, owner, method = ''] = /^(.*)\.(get|pop|__getitem__|__getattribute__)$/.exec(path) ?? [];
    if (owner !== undefined && (owner === 'sys.modules' || owner.endsWith('.__dict__')))
      return itemOf(owner, constant(first.from, first.to));
    if (owner !== undefined && method === '__getattribute__') {
      const name = constant(first.from, first.to);
      return name === undefined ? 'getattr()' : attribute(owner, name);
    }
    if (path === 'vars') return `${follow(first.from).path}.__dict__`;
    return `${path}()`;
  };

  const itemOf = (path: string, key: string | undefined): string => {
    if (key === undefined) return `${path}[]`;
    if (path === 'sys.modules') return key;
    if (path === 'globals()' || path === 'locals()' || path === 'vars()') return base(key);
    if (path === '__builtins__') return key;
    return path.endsWith('.__dict__') ? attribute(path.slice(0, -'.__dict__'.length), key) : `${path}[]`;
  };

  /** The first arguments between two brackets, split at the commas of that level. */
  const split = (open: number, close: number, limit = 2): { from: number; to: number }[] => {
    const parts: { from: number; to: number }[] = [];
    let from = open + 1;
    for (let at = from; at <= close && parts.length < limit; at++) {
      const token = tokens[at];
      if (at === close || is(at, ',')) {
        if (at > from) parts.push({ from, to: at });
        from = at + 1;
      } else if (token && token.match > at) at = token.match;
    }
    return parts;
  };

  /** The string that an expression of literals yields, or nothing. */
  const constant = (from: number, to: number): string | undefined => {
    let out = '';
    let at = from;
    while (at < to) {
      const token = tokens[at];
      if (token?.kind === 'string') {
        const joined = joinedFrom(at);
        const reversed = is(at + 1, '[') && is(at + 2, ':') && is(at + 3, ':') && is(at + 4, '-');
        out += joined?.text ?? (reversed ? [...token.text].reverse().join('') : token.text);
        at = joined?.end ?? (reversed ? (tokens[at + 1]?.match ?? at) + 1 : at + 1);
      } else if (
        token?.kind === 'name' &&
        token.text === 'chr' &&
        tokens[at + 2]?.kind === 'number' &&
        is(at + 3, ')')
      ) {
        out += String.fromCharCode(Number(tokens[at + 2]?.text ?? 0) & 0xffff);
        at += 4;
      } else if (is(at, '+')) at += 1;
      else return undefined;
    }
    return to > from ? out : undefined;
  };

  /** `''.join(['sys', 'tem'])` and the like. */
  const joinedFrom = (at: number): { text: string; end: number } | undefined => {
    if (!is(at + 1, '.') || tokens[at + 2]?.text !== 'join' || !is(at + 3, '(')) return undefined;
    const close = tokens[at + 3]?.match ?? -1;
    const inner = at + 4;
    const bracketed = is(inner, '[') || is(inner, '(');
    if (close < 0 || !bracketed) return undefined;
    const parts = split(inner, tokens[inner]?.match ?? inner, PARTS).map(({ from, to }) => constant(from, to));
    return parts.includes(undefined) ? undefined : { text: parts.join(tokens[at]?.text ?? ''), end: close + 1 };
  };

  return { follow, split, constant };
};

/** Modules that others import: `shutil.os` is `os`, whoever it is taken from. */
const IMPORTED = /^.+\.(_?(?:os|sys|subprocess|builtins|importlib|posix|nt|ctypes|pty|runpy))$/;

/** The path of an attribute. Names of the builtins module are the builtins, and calling `f.__call__` is calling `f`. */
const attribute = (owner: string, name: string): string => {
  if (name === '__call__') return owner;
  const inner = IMPORTED.exec(owner)?.[1];
  const module = inner === undefined ? owner : inner.replace(/^_/, '');
  const builtin = module === 'builtins' || module === '__builtins__' || module === '__builtin__';
  return builtin && name !== '__dict__' ? name : `${module}.${name}`;
};
