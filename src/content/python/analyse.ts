import type { Budget } from '../../bytes/limits.ts';
import { utf8Length } from '../../bytes/utf8.ts';
import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';
import {
  type Danger,
  dangerOf,
  EVALUATE,
  IMPORT,
  MODULE_VALUE,
  NETWORK,
  referenceOf,
  SENSITIVE,
  SHELL,
  WRITE,
} from './names.ts';
import { type Place, placesOf, textAt } from './places.ts';
import { reachedAtImport } from './reach.ts';
import { type Call, createResolver, type Scope } from './resolve.ts';
import { bind } from './scope.ts';
import { environmentNames, holdsCredential, holdsEnvironment, isPrivatePath, maySend } from './secrets.ts';
import { type Line, type Token, tokenizePython } from './tokens.ts';
import { isFunctionValue, isModuleValue } from './values.ts';

export type PythonVerdict = { readonly remarks: readonly Remark[]; readonly understood: boolean };

const REFS = ['CWE-94', 'CWE-506', 'AML.T0010', 'LLM03:2025'];
/** Remarks of one rule; more say nothing new. */
const REPEATED = 5;

/** Methods whose result an unpickler calls. */
const UNPICKLED = /^__reduce(?:_ex)?__$/;

type Found = { readonly danger: Danger; readonly call: Call };

/**
 * Reads Python source without running it: which dangerous calls it makes, and whether they run when it is imported (at
 * module or class level, or in a function that is called from there) or wait to be called. Offsets count bytes.
 */
export const analysePython = (source: string, budget: Budget): PythonVerdict => {
  budget.spend('steps', source.length);
  const { tokens, lines, problem } = tokenizePython(source);
  const places = placesOf(tokens, lines);
  const scope = bind(tokens, lines);
  const calls = callsOf(tokens, lines, scope, budget);
  const placeOf = (call: Call): Place => places[lineOf(lines, call.start)] ?? { owner: '', member: '', atImport: true };
  const reached = reachedAtImport(calls, placeOf);
  const copies = environmentNames(tokens, lines);
  const remarks = calls.flatMap((call) => {
    const danger = exfiltration(call, tokens, scope, copies) ?? judge(call, tokens, scope);
    if (danger === undefined) return [];
    const place = placeOf(call);
    return [remark(source, tokens, { danger, call }, place.atImport || reached(place) || UNPICKLED.test(place.member))];
  });
  if (problem !== '') {
    const message = `the source is not Python that can be read: ${problem}`;
    remarks.push({ rule: 'python.unparsed', severity: 'medium', message, offset: 0, refs: REFS });
  }
  const all = [...remarks, ...internals(tokens), ...privatePaths(tokens, lines), ...encoding(source)];
  const kept = limited(all).map((found) => ({ ...found, offset: utf8Length(source, found.offset) }));
  return { remarks: kept, understood: problem === '' };
};

const KEYWORDS_BEFORE_NAMES = new Set(['def', 'class', 'import', 'from', 'as', 'global', 'nonlocal']);

const callsOf = (tokens: readonly Token[], lines: readonly Line[], scope: Scope, budget: Budget): Call[] => {
  const calls = new Map<number, Call>();
  const resolver = createResolver(tokens, scope, (call) => calls.set(call.open, call));
  for (const line of lines) {
    const { from, to } = line;
    budget.spend('steps', to - from);
    for (let at = from; at < to; at++) {
      if (tokens[at]?.kind !== 'name' || textAt(tokens, at - 1) === '.') continue;
      if (KEYWORDS_BEFORE_NAMES.has(textAt(tokens, at - 1)) && at > from) continue;
      const { path, end } = resolver.follow(at);
      const place = { line, start: at, end, path };
      if (isFunctionValue(tokens, place) || isModuleValue(tokens, place))
        calls.set(at, { path, start: at, open: at, close: end - 1 });
    }
  }
  return [...calls.values()].sort((a, b) => a.open - b.open);
};

const lineOf = (lines: readonly Line[], token: number): number => {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle]?.from ?? 0) <= token) low = middle;
    else high = middle - 1;
  }
  return low;
};

const judge = (call: Call, tokens: readonly Token[], scope: Scope): Danger | undefined => {
  if (call.open === call.start) return referenceOf(call.path) ?? MODULE_VALUE;
  const resolver = createResolver(tokens, scope, () => {});
  const [first, second] = resolver.split(call.open, call.close);
  if (call.path === 'os.dup2' && first && holds(tokens, first.from, first.to, 'fileno')) return SHELL;
  if (call.path === 'getattr' && first && second) {
    if (INTERNALS.has(resolver.constant(second.from, second.to) ?? '')) return INTERNAL;
    const object = resolver.follow(first.from).path;
    return SENSITIVE.has(object) && resolver.constant(second.from, second.to) === undefined ? EVALUATE : undefined;
  }
  if (call.path === 'open' && second)
    return /[wax+]/.test(resolver.constant(second.from, second.to) ?? '') ? WRITE : undefined;
  const danger = dangerOf(call.path);
  // A constant name is followed to what it imports.
  if (danger === IMPORT && first && resolver.constant(first.from, first.to) !== undefined) return undefined;
  return danger;
};

const holds = (tokens: readonly Token[], from: number, to: number, name: string): boolean => {
  for (let at = from; at < to; at++) if (textAt(tokens, at) === name) return true;
  return false;
};

const EXFILTRATION: Danger = {
  rule: 'python.exfiltration',
  what: 'sends the environment over the network',
  atImport: 'high',
  inFunction: 'high',
};

/** Arguments of one call that are looked at one by one. */
const ARGUMENTS = 32;

const exfiltration = (
  call: Call,
  tokens: readonly Token[],
  scope: Scope,
  copies: ReadonlySet<string>,
): Danger | undefined => {
  if (call.open === call.start) return undefined;
  const network = dangerOf(call.path) === NETWORK;
  if (!network && !maySend(call.path)) return undefined;
  if (holdsEnvironment(tokens, { from: call.open, to: call.close }, copies)) return EXFILTRATION;
  if (!network) return undefined;
  const parts = createResolver(tokens, scope, () => {}).split(call.open, call.close, ARGUMENTS);
  return holdsCredential(tokens, parts) ? EXFILTRATION : undefined;
};

const remark = (source: string, tokens: readonly Token[], { danger, call }: Found, atImport: boolean): Remark => {
  const when = atImport ? 'when it is imported' : 'in a function';
  const start = tokens[call.start]?.at ?? 0;
  return {
    rule: danger.rule,
    severity: atImport ? danger.atImport : danger.inFunction,
    message: `${printable(call.path, 60)} ${danger.what} ${when}`,
    offset: start,
    evidence: printable(source.slice(start, (tokens[call.close]?.at ?? start) + 1)),
    refs: REFS,
  };
};

/** Attributes that lead from any value to every class and module: nobody needs them to define a model. */
const INTERNALS = new Set(['__subclasses__', '__globals__', '__builtins__', '__code__', 'f_globals', 'f_builtins']);

const INTERNAL: Danger = {
  rule: 'python.internal',
  what: "reaches for the interpreter's internals",
  atImport: 'medium',
  inFunction: 'medium',
};

const internals = (tokens: readonly Token[]): Remark[] =>
  tokens
    .filter(
      (token, index) => INTERNALS.has(token.text) && (token.kind === 'string' || textAt(tokens, index - 1) === '.'),
    )
    .map(({ text, at }) => {
      const message = `${text} reaches for the interpreter's internals`;
      return {
        rule: 'python.internal',
        severity: 'medium',
        message,
        offset: at,
        evidence: text,
        refs: REFS,
      };
    });

/** Encodings in which a byte means what it looks like. */
const PLAIN_ENCODINGS = /^(?:utf-?8(?:-?sig)?|latin-?1|l1|(?:us-?)?ascii|iso-?8859-?\d{1,2}|cp125\d|windows-125\d)$/;

/** A declared encoding (PEP 263) that turns harmless looking text, comments even, into other code. */
const encoding = (source: string): Remark[] => {
  const lines = source.split(/\r\n?|\n/, 2).filter((line) => /^[ \t\f]{0,200}#/.test(line));
  const name = lines
    .map((line) => /coding[:=][ \t]{0,20}([-\w.]{1,60})/.exec(line)?.[1])
    .find((found) => found !== undefined);
  if (name === undefined || PLAIN_ENCODINGS.test(name.toLowerCase().replaceAll('_', '-'))) return [];
  const message = `the source declares the encoding ${name}, in which it means something else than it shows`;
  return [{ rule: 'python.encoding', severity: 'high', message, offset: 0, evidence: printable(name), refs: REFS }];
};

/** Strings that name private files; a docstring is a statement of its own and names them to its readers. */
const privatePaths = (tokens: readonly Token[], lines: readonly Line[]): Remark[] =>
  lines.flatMap(({ from, to }) =>
    to - from < 2
      ? []
      : tokens
          .slice(from, to)
          .filter(isPrivatePath)
          .map(({ at, text }) => ({
            rule: 'python.private-file',
            severity: 'medium',
            message: 'names a file that holds credentials or starts programs',
            offset: at,
            evidence: printable(text),
            refs: REFS,
          })),
  );

const limited = (remarks: readonly Remark[]): Remark[] => {
  const seen = new Map<string, number>();
  return remarks.filter(({ rule, severity }) => {
    if (severity === 'info') return false;
    const key = `${rule} ${severity}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count <= REPEATED;
  });
};
