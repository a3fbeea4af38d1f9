import { dangerOf } from './names.ts';
import { endOfHead, textAt } from './places.ts';
import { createResolver, type Scope } from './resolve.ts';
import type { Line, Token } from './tokens.ts';

/** Star imports that are looked into. */
const STARS = 16;

/** Collects what imports and plain assignments bind, anywhere in the source: scopes are not told apart. */
export const bind = (tokens: readonly Token[], lines: readonly Line[]): Scope => {
  const aliases = new Map<string, string>();
  const stars: string[] = [];
  for (const { from, to } of lines) {
    const start = Math.max(from, bodyOf(tokens, from, to));
    const word = textAt(tokens, start);
    if (word === 'import') bindImport(tokens, start + 1, to, '', aliases);
    else if (word === 'from') {
      let at = start + 1;
      let module = '';
      while (at < to && textAt(tokens, at) !== 'import') module += textAt(tokens, at++);
      if (textAt(tokens, at + 1) === '*') stars.push(module);
      else bindImport(tokens, at + 1, to, module, aliases);
    } else if (
      tokens[start]?.kind === 'name' &&
      textAt(tokens, start + 1) === '=' &&
      textAt(tokens, start + 2) !== '='
    ) {
      const { path, end } = createResolver(tokens, aliases, () => {}).follow(start + 2);
      if (end === to && path !== '' && !path.endsWith('()') && !path.endsWith('[]')) aliases.set(word, path);
    }
  }
  for (const star of stars.slice(0, STARS)) {
    for (const token of tokens) {
      if (token.kind === 'name' && !aliases.has(token.text) && dangerOf(`${star}.${token.text}`)) {
        aliases.set(token.text, `${star}.${token.text}`);
      }
    }
  }
  return aliases;
};

/** Where the statement behind `if x:`, `try:`, `with a:` on the same line begins. */
const bodyOf = (tokens: readonly Token[], from: number, to: number): number => {
  const word = textAt(tokens, from);
  if (!['if', 'else', 'elif', 'try', 'except', 'finally', 'with', 'for', 'while', 'def', 'class'].includes(word))
    return from;
  const colon = endOfHead(tokens, from, to);
  return colon < to - 1 ? colon + 1 : from;
};

const bindImport = (
  tokens: readonly Token[],
  from: number,
  to: number,
  module: string,
  aliases: Map<string, string>,
): void => {
  let at = from;
  while (at < to) {
    let name = '';
    while (at < to && (tokens[at]?.kind === 'name' || textAt(tokens, at) === '.') && textAt(tokens, at) !== 'as') {
      name += textAt(tokens, at++);
    }
    const full = module === '' ? name : `${module}.${name}`;
    if (textAt(tokens, at) === 'as') {
      aliases.set(textAt(tokens, at + 1), full);
      at += 2;
    } else if (module !== '' && name !== '') aliases.set(name, full);
    else if (name !== '') aliases.set(name.split('.')[0] ?? name, name.split('.')[0] ?? name);
    at += 1;
  }
};
