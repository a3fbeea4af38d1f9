import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';
import { LOADING_STATEMENTS, STATEMENTS } from './allowed.ts';

/** One `{{ ... }}` or `{% ... %}`: its inner text and where it starts. */
export type Tag = { readonly kind: 'expression' | 'statement'; readonly inner: string; readonly at: number };

const REFS = ['CVE-2024-34359', 'CWE-1336', 'LLM03:2025', 'AML.T0010'];

/** Position behind the tag's end, looking past quoted strings as Jinja does; the text's length when it never ends. */
const endOfTag = (text: string, from: number, close: string): number => {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const unit = text.charAt(at);
    if (quote !== '') {
      if (unit === '\\') at += 1;
      else if (unit === quote) quote = '';
    } else if (unit === '"' || unit === "'") quote = unit;
    else if (text.startsWith(close, at)) return at;
  }
  return text.length;
};

/** The tags of a template in order; comments are skipped. */
export const tagsOf = (text: string): Tag[] => {
  const tags: Tag[] = [];
  let at = 0;
  for (;;) {
    const open = text.indexOf('{', at);
    if (open < 0) return tags;
    const mark = text.charAt(open + 1);
    if (mark === '#') {
      const close = text.indexOf('#}', open + 2);
      at = close < 0 ? text.length : close + 2;
    } else if (mark === '{' || mark === '%') {
      const end = endOfTag(text, open + 2, mark === '{' ? '}}' : '%}');
      tags.push({ kind: mark === '{' ? 'expression' : 'statement', inner: text.slice(open + 2, end), at: open });
      at = end + 2;
    } else at = open + 1;
  }
};

/** Escapes of Python string literals (\x5f, \u005f, \137, \N{...}) replaced by what they stand for. */
export const unescapePython = (text: string): string =>
  text
    .replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\U0000([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\([0-7]{2,3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8) & 0xff))
    .replace(/\\N\{LOW LINE\}/gi, '_');

/**
 * What can be said without parsing: statements that load templates, unknown statements, escaped underscores and names
 * of Python internals. Runs first, so that a template that the parser refuses is still described.
 */
export const scanTags = (tags: readonly Tag[]): Remark[] => {
  const remarks: Remark[] = [];
  for (const { kind, inner, at } of tags) {
    const evidence = printable(inner.trim());
    const body = inner.replace(/^[-+]/, '');
    const name = kind === 'statement' ? (/^\s{0,64}([A-Za-z_]{1,64})/.exec(body)?.[1] ?? '') : '';
    if (LOADING_STATEMENTS.has(name)) {
      const message = `the template loads another one with ${name}`;
      remarks.push({ rule: 'jinja.include', severity: 'high', message, offset: at, evidence, refs: REFS });
    } else if (kind === 'statement' && !STATEMENTS.has(name)) {
      const message = `unknown statement ${printable(name, 40)}`;
      remarks.push({ rule: 'jinja.statement', severity: 'medium', message, offset: at, evidence, refs: REFS });
    }
    const plain = unescapePython(inner);
    if (plain !== inner && plain.includes('__') && !inner.includes('__')) {
      const message = 'underscores are hidden behind escapes, which spells names of Python internals';
      remarks.push({ rule: 'jinja.hidden-name', severity: 'high', message, offset: at, evidence, refs: REFS });
    } else if (/__[a-z]{2,40}__/.test(plain)) {
      const message = 'the template names a Python internal';
      remarks.push({ rule: 'jinja.internal', severity: 'high', message, offset: at, evidence, refs: REFS });
    }
  }
  return remarks;
};
