import { referenceOf } from './names.ts';
import { textAt } from './places.ts';
import type { Line, Token } from './tokens.ts';

/** Modules from which everything can be reached: as values they are called by names that no reader follows. */
const MODULES = new Set([
  'os',
  'posix',
  'nt',
  'subprocess',
  'builtins',
  '__builtins__',
  'importlib',
  'ctypes',
  'pty',
  '_posixsubprocess',
]);

/** Functions that only look at the module they are given, or whose result is followed. */
const ONLY_LOOK = new Set('getattr hasattr setattr delattr vars dir reload isinstance type id object'.split(' '));

/** Words before a name that make it a declaration and not a value. */
const DECLARES = new Set('. def class import from as global nonlocal del'.split(' '));

/** True for `name = value` on a line of its own: later uses of the name are followed to the value. */
const isAlias = (tokens: readonly Token[], { from, to }: Line, start: number, end: number): boolean =>
  start === from + 2 && textAt(tokens, from + 1) === '=' && end === to;

/** True when the name is bound to something else in this source: a keyword, a parameter with a default, a variable. */
const isBound = (tokens: readonly Token[], name: string): boolean =>
  tokens.some(
    ({ kind, text }, at) =>
      kind === 'name' && text === name && textAt(tokens, at + 1) === '=' && textAt(tokens, at + 2) !== '=',
  );

type Place = { readonly line: Line; readonly start: number; readonly end: number; readonly path: string };

/** True where a dangerous function is named without being called: a list, a map, a default or a decorator calls it. */
export const isFunctionValue = (tokens: readonly Token[], { line, start, end, path }: Place): boolean => {
  if (referenceOf(path) === undefined) return false;
  const before = textAt(tokens, start - 1);
  const after = textAt(tokens, end);
  if (path === 'subprocess.Popen') return !':>|['.includes(before || ' ') && after !== '|';
  if (path.includes('.')) return true;
  if ('([,'.includes(before || ' ') && ')],'.includes(after || ' ')) return true;
  if (isAlias(tokens, line, start, end) || isTarget(tokens, start, end)) return false;
  // `eval` is a common name for a flag; `exec` and `__import__` are not.
  return path !== 'eval' || !isBound(tokens, 'eval');
};

const isTarget = (tokens: readonly Token[], start: number, end: number): boolean => {
  const after = textAt(tokens, end);
  return (
    DECLARES.has(textAt(tokens, start - 1)) ||
    (after === '=' && textAt(tokens, end + 1) !== '=') ||
    (after === ':' && '(,{'.includes(textAt(tokens, start - 1) || ' '))
  );
};

/** True where a whole module is handed on: put in a list, passed, returned, given another name in passing. */
export const isModuleValue = (tokens: readonly Token[], { line, start, end, path }: Place): boolean => {
  const module = path.endsWith('.__dict__') ? path.slice(0, -'.__dict__'.length) : path;
  if (!MODULES.has(module) || ['import', 'from'].includes(textAt(tokens, line.from))) return false;
  if (isTarget(tokens, start, end) || textAt(tokens, end) === '.') return false;
  const called = textAt(tokens, start - 1) === '(' ? textAt(tokens, start - 2) : '';
  return path !== module || (!isAlias(tokens, line, start, end) && !ONLY_LOOK.has(called));
};
