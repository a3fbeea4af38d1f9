import { exceeded } from '../../bytes/limits.ts';
import { withoutEscapes } from './escapes.ts';

/** A token of Python source. `text` of a string is its decoded content; `at` is a position in the source text. */
export type Token = {
  readonly kind: 'name' | 'number' | 'string' | 'sign';
  readonly text: string;
  readonly at: number;
  /** Index of the bracket that closes this one, or opens it; -1 for everything else. */
  match: number;
};

/** One logical line: its tokens are `tokens[from]` to `tokens[to - 1]`. */
export type Line = { readonly indent: number; readonly from: number; readonly to: number };

export type Tokens = {
  readonly tokens: readonly Token[];
  readonly lines: readonly Line[];
  /** The first thing that no Python would accept (an open string, an unbalanced bracket), or nothing. */
  readonly problem: string;
};

/** Tokens of one source; the largest modeling files have some 50 thousand. */
const TOKENS = 2_000_000;
/** Brackets, and f-strings in f-strings, inside each other; CPython stops at 200. */
const DEPTH = 200;

const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER = /(?:0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)[jJlL]?/y;
const PREFIX = /^(?:[rbufRBUF]|[bB][rR]|[rR][bB]|[fF][rR]|[rR][fF])$/;
const CLOSING: ReadonlyMap<string, string> = new Map([
  [')', '('],
  [']', '['],
  ['}', '{'],
]);

/**
 * Splits Python source into tokens and logical lines (Python language reference, chapter 2), tolerantly: both Python 2
 * and 3, and what is wrong is named but does not end it. Code inside f-strings is tokenized in place.
 */
export const tokenizePython = (original: string): Tokens => {
  // A lone carriage return ends a line for Python, a comment's too; lengths stay the same.
  const source = original.includes('\r') ? original.replaceAll('\r\n', ' \n').replaceAll('\r', '\n') : original;
  const tokens: Token[] = [];
  const lines: Line[] = [];
  const open: number[] = [];
  let problem = '';
  let at = 0;
  let from = 0;
  let indent = 0;
  let lineStart = true;

  const push = (kind: Token['kind'], text: string, where: number): void => {
    if (tokens.length >= TOKENS) exceeded('Python tokens', TOKENS);
    tokens.push({ kind, text, at: where, match: -1 });
  };
  const endLine = (): void => {
    if (tokens.length > from) lines.push({ indent, from, to: tokens.length });
    from = tokens.length;
  };
  const sign = (mark: string): void => {
    push('sign', mark, at);
    at += 1;
    if (mark === '(' || mark === '[' || mark === '{') {
      if (open.length >= DEPTH) exceeded('Python brackets', DEPTH);
      open.push(tokens.length - 1);
      return;
    }
    const wanted = CLOSING.get(mark);
    if (wanted === undefined) return;
    const opened = open.pop();
    const opener = opened === undefined ? undefined : tokens[opened];
    const closer = tokens.at(-1);
    if (opened === undefined || opener?.text !== wanted || closer === undefined) problem ||= `unbalanced ${mark}`;
    else {
      opener.match = tokens.length - 1;
      closer.match = opened;
    }
  };
  const string = (prefix: string, start: number): void => {
    const quote = source.charAt(at);
    const triple = source.startsWith(quote.repeat(3), at);
    const close = triple ? quote.repeat(3) : quote;
    at += close.length;
    const body = at;
    while (at < source.length && !source.startsWith(close, at)) {
      if (source.charAt(at) === '\\') at += 1;
      else if (source.charAt(at) === '\n' && !triple) break;
      at += 1;
    }
    const end = Math.min(at, source.length);
    if (!source.startsWith(close, at)) problem ||= 'a string has no end';
    else at += close.length;
    const raw = source.slice(body, end);
    push('string', /r/i.test(prefix) ? raw : withoutEscapes(raw), start);
    if (/f/i.test(prefix)) formatted(raw, body);
  };
  /** Puts the expressions of an f-string behind it, in brackets of their own. */
  const formatted = (raw: string, base: number): void => {
    if (open.length >= DEPTH) exceeded('Python f-strings', DEPTH);
    for (const { text, offset } of expressionsOf(raw)) {
      const inner = tokenizePython(text);
      push('sign', '{', base + offset);
      const opener = tokens.at(-1);
      const shift = tokens.length;
      for (const token of inner.tokens) {
        push(token.kind, token.text, base + offset + token.at);
        const added = tokens.at(-1);
        if (added && token.match >= 0) added.match = token.match + shift;
      }
      push('sign', '}', base + offset + text.length);
      const closer = tokens.at(-1);
      if (opener) opener.match = tokens.length - 1;
      if (closer) closer.match = shift - 1;
    }
  };

  while (at < source.length) {
    const unit = source.charAt(at);
    if (lineStart && open.length === 0) {
      let width = 0;
      while (source.charAt(at) === ' ' || source.charAt(at) === '\t') {
        width += source.charAt(at) === '\t' ? 8 - (width % 8) : 1;
        at += 1;
      }
      indent = width;
      lineStart = false;
      continue;
    }
    if (unit === '\n') {
      at += 1;
      if (open.length === 0) {
        endLine();
        lineStart = true;
      }
    } else if (unit === '#') {
      const end = source.indexOf('\n', at);
      at = end < 0 ? source.length : end;
    } else if (unit === '\\') {
      at += source.startsWith(' \n', at + 1) ? 3 : 2;
    } else if (unit === ';' && open.length === 0) {
      endLine();
      at += 1;
    } else if (unit === '"' || unit === "'") string('', at);
    else if (unit.trim() === '') at += 1;
    else {
      NAME.lastIndex = at;
      const name = NAME.exec(source)?.[0];
      NUMBER.lastIndex = at;
      const number = name === undefined ? NUMBER.exec(source)?.[0] : undefined;
      if (name !== undefined) {
        const start = at;
        at += name.length;
        const quote = source.charAt(at);
        if ((quote === '"' || quote === "'") && PREFIX.test(name)) string(name, start);
        // Python compares names in this form, so ｏｓ.ｓｙｓｔｅｍ is os.system.
        else push('name', name.normalize('NFKC'), start);
      } else if (number !== undefined) {
        push('number', number, at);
        at += number.length;
      } else sign(unit);
    }
  }
  endLine();
  if (open.length > 0) problem ||= 'a bracket is never closed';
  return { tokens, lines, problem };
};

/** The parts of an f-string that are code. */
const expressionsOf = (raw: string): { text: string; offset: number }[] => {
  const found: { text: string; offset: number }[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < raw.length; at++) {
    const unit = raw.charAt(at);
    if (unit === '{') {
      if (depth === 0 && raw.charAt(at + 1) === '{') at += 1;
      else {
        if (depth === 0) start = at + 1;
        depth += 1;
      }
    } else if (unit === '}' && depth > 0) {
      depth -= 1;
      if (depth === 0) found.push({ text: raw.slice(start, at), offset: start });
    }
  }
  return found;
};
