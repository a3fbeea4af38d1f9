import { WeighbridgeError } from '../errors.ts';

/** A value of Python's literal grammar, as far as headers of arrays use it. */
export type Literal =
  | { readonly kind: 'none' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'str'; readonly text: string }
  | { readonly kind: 'tuple' | 'list'; readonly items: readonly Literal[] }
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [Literal, Literal])[] };

/** Brackets inside brackets; structured types of structured types need a few. */
const MAX_DEPTH = 32;

/**
 * Parses one Python literal (Python reference, 2.4 and 6.2; no floats, bytes or sets) that fills `text` but for blanks.
 * Nothing is evaluated. Throws FORMAT_INVALID for anything else.
 */
export const parseLiteral = (text: string): Literal => {
  let at = 0;
  const invalid = (what: string): WeighbridgeError =>
    new WeighbridgeError('FORMAT_INVALID', `Python literal: ${what} at character ${at}`);

  const blanks = (): void => {
    while (at < text.length && ' \t\n\r\f'.includes(text.charAt(at))) at += 1;
  };
  const take = (token: string): boolean => {
    blanks();
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };

  const value = (depth: number): Literal => {
    if (depth > MAX_DEPTH) throw invalid('brackets are nested too deep');
    blanks();
    const word = match(/(?:None|True|False)\b/y);
    if (word !== undefined) return word === 'None' ? { kind: 'none' } : { kind: 'bool', value: word === 'True' };
    const number = match(/-?\d{1,19}(?=L?\b)L?/y);
    if (number !== undefined) return integer(number);
    const quoted = match(/[uU]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/y);
    if (quoted !== undefined) return { kind: 'str', text: unescaped(quoted) };
    if (take('{')) return { kind: 'dict', entries: entries(depth) };
    if (take('[')) return { kind: 'list', items: items(']', depth).values };
    if (take('(')) return parenthesis(depth);
    throw invalid('no value');
  };

  const integer = (digits: string): Literal => {
    const number = Number(digits.replace('L', ''));
    if (!Number.isSafeInteger(number)) throw invalid('number is too large');
    return { kind: 'int', value: number };
  };

  const parenthesis = (depth: number): Literal => {
    const { values, comma } = items(')', depth);
    const [only] = values;
    return values.length === 1 && !comma && only !== undefined ? only : { kind: 'tuple', items: values };
  };

  const items = (end: string, depth: number): { values: Literal[]; comma: boolean } => {
    const values: Literal[] = [];
    let comma = false;
    while (!take(end)) {
      if (values.length > 0 && !comma) throw invalid('no comma');
      values.push(value(depth + 1));
      comma = take(',');
    }
    return { values, comma };
  };

  const entries = (depth: number): (readonly [Literal, Literal])[] => {
    const pairs: (readonly [Literal, Literal])[] = [];
    let comma = true;
    while (!take('}')) {
      if (!comma) throw invalid('no comma');
      const key = value(depth + 1);
      if (!take(':')) throw invalid('no colon');
      pairs.push([key, value(depth + 1)]);
      comma = take(',');
    }
    return pairs;
  };

  const unescaped = (quoted: string): string =>
    quoted
      .replace(/^[uU]/, '')
      .slice(1, -1)
      .replaceAll(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|['"\\]|.)/g, (_, code: string) => {
        if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
        if (`'"\\`.includes(code)) return code;
        throw invalid('escape');
      });

  const result = value(0);
  blanks();
  if (at !== text.length) throw invalid('something behind the value');
  return result;
};
