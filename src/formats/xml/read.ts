import { type Budget, exceeded, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Elements inside each other. Models nest some 60 deep (trees as PMML). */
const DEPTH = 1024;
/** Attributes of one element. */
const ATTRIBUTES = 512;
/** Characters of a name. */
const NAME = 512;

export type XmlEvent =
  | {
      readonly kind: 'open';
      readonly name: string;
      readonly attributes: ReadonlyMap<string, string>;
      readonly at: number;
    }
  | { readonly kind: 'close'; readonly name: string; readonly at: number }
  | { readonly kind: 'text'; readonly text: string; readonly at: number }
  | { readonly kind: 'instruction'; readonly name: string; readonly at: number }
  | {
      readonly kind: 'doctype';
      readonly text: string;
      readonly internal: boolean;
      readonly external: boolean;
      readonly at: number;
    };

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);
const NAMED = /[A-Za-z_:\u0080-\uffff][A-Za-z0-9_:.\-\u0080-\uffff]*/y;
const SPACE = /[ \t\r\n]*/y;

/**
 * Reads a document (XML 1.0, fifth edition) without its document type: no entity is known but the five, none is ever
 * expanded. Throws FORMAT_INVALID for what is not well-formed, LIMIT_EXCEEDED beyond depth and sizes. Positions are
 * characters.
 */
export const readXml = function* (text: string, budget: Budget): Generator<XmlEvent> {
  let at = 0;
  let rooted = false;
  const open: string[] = [];

  const invalid = (what: string, where = at): never => {
    throw new WeighbridgeError('FORMAT_INVALID', `XML: ${what}`, { offset: where });
  };
  const find = (mark: string, from: number): number => {
    const found = text.indexOf(mark, from);
    return found < 0 ? invalid(`no ${mark} follows`) : found;
  };
  const space = (): boolean => {
    SPACE.lastIndex = at;
    const length = SPACE.exec(text)?.[0].length ?? 0;
    at += length;
    return length > 0;
  };
  const name = (): string => {
    NAMED.lastIndex = at;
    const found = NAMED.exec(text)?.[0] ?? invalid('expected a name');
    within('XML name characters', found.length, NAME);
    at += found.length;
    return found;
  };
  const plain = (raw: string, where: number): string => {
    if (!raw.includes('&')) return raw;
    return raw.replace(/&([^;&]{0,12};?)/g, (_, reference: string) => {
      const point = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}));$/.exec(reference);
      if (point) {
        const code = point[1] === undefined ? Number(point[2]) : Number.parseInt(point[1], 16);
        return code > 0x10ffff ? invalid('no such character', where) : String.fromCodePoint(code);
      }
      const known = reference.endsWith(';') ? ENTITIES.get(reference.slice(0, -1)) : undefined;
      return known ?? invalid('an entity that is not one of the five', where);
    });
  };
  const attributes = (): ReadonlyMap<string, string> => {
    const found = new Map<string, string>();
    for (;;) {
      const apart = space();
      const mark = text.charAt(at);
      if (mark === '>' || mark === '/') return found;
      if (!apart) invalid('expected white space');
      const key = name();
      space();
      if (text.charAt(at) !== '=') invalid('expected =');
      at += 1;
      space();
      const quote = text.charAt(at);
      if (quote !== '"' && quote !== "'") invalid('expected a quoted value');
      const end = find(quote, at + 1);
      const value = text.slice(at + 1, end);
      if (value.includes('<')) invalid('a value holds <');
      if (found.has(key)) invalid('an attribute occurs twice');
      found.set(key, plain(value, at));
      within('XML attributes of an element', found.size, ATTRIBUTES);
      at = end + 1;
    }
  };
  const doctype = (): XmlEvent => {
    const start = at;
    const bracket = text.indexOf('[', at);
    const close = find('>', at);
    const internal = bracket >= 0 && bracket < close;
    // The subset may hold `]` and `>` in quotes: whoever has one is reported anyway, so the last `]>` before the root will do.
    const end = internal ? /\]\s*>/g : undefined;
    if (end) {
      end.lastIndex = bracket;
      const found = end.exec(text) ?? invalid('an unfinished document type');
      at = found.index + found[0].length;
    } else at = close + 1;
    const declaration = text.slice(start, at);
    const external = /\b(?:SYSTEM|PUBLIC)\b/.test(internal ? declaration.slice(0, bracket - start) : declaration);
    return { kind: 'doctype', text: declaration, internal, external, at: start };
  };

  while (at < text.length) {
    budget.spend('steps', 1);
    const start = at;
    if (text.charCodeAt(at) !== 0x3c) {
      const next = text.indexOf('<', at);
      const end = next < 0 ? text.length : next;
      const raw = text.slice(at, end);
      if (open.length === 0 && raw.trim() !== '') invalid('text outside the root element');
      if (raw.includes(']]>')) invalid(']]> in text');
      if (open.length > 0) yield { kind: 'text', text: plain(raw, at), at };
      at = end;
    } else if (text.startsWith('<!--', at)) {
      const end = find('--', at + 4);
      if (text.charAt(end + 2) !== '>') invalid('-- in a comment');
      at = end + 3;
    } else if (text.startsWith('<![CDATA[', at)) {
      if (open.length === 0) invalid('CDATA outside the root element');
      const end = find(']]>', at);
      yield { kind: 'text', text: text.slice(at + 9, end), at };
      at = end + 3;
    } else if (text.startsWith('<?', at)) {
      at += 2;
      const target = name();
      if (target.toLowerCase() === 'xml' && start > 0) invalid('the declaration is not at the start');
      at = find('?>', at) + 2;
      yield { kind: 'instruction', name: target, at: start };
    } else if (text.startsWith('<!DOCTYPE', at)) {
      if (rooted) invalid('a document type behind the root element');
      yield doctype();
    } else if (text.startsWith('</', at)) {
      at += 2;
      const closed = name();
      if (open.pop() !== closed) invalid('an element is closed that is not open', start);
      space();
      if (text.charAt(at) !== '>') invalid('expected >');
      at += 1;
      yield { kind: 'close', name: closed, at: start };
    } else {
      at += 1;
      const opened = name();
      if (open.length === 0 && rooted) invalid('a second root element', start);
      rooted = true;
      const found = attributes();
      const empty = text.charAt(at) === '/';
      at += empty ? 2 : 1;
      if (text.charAt(at - 1) !== '>') invalid('expected >');
      budget.spend('steps', found.size);
      yield { kind: 'open', name: opened, attributes: found, at: start };
      if (empty) yield { kind: 'close', name: opened, at: start };
      else if (open.push(opened) > DEPTH) exceeded('XML depth', DEPTH);
    }
  }
  if (open.length > 0) throw new WeighbridgeError('FORMAT_TRUNCATED', 'XML: elements are left open', { offset: at });
  if (!rooted) invalid('no root element');
};

/** The name without its namespace prefix. */
export const localName = (name: string): string => name.slice(name.indexOf(':') + 1);
