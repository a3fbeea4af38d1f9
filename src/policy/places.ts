import { type Document, isAlias, isMap, isNode, isPair, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { Problem } from './types.ts';

/** Largest policy file in characters; the shipped ones have under 10,000. */
const MAX_FILE_CHARACTERS = 1_000_000;
const MAX_DOCUMENTS = 500;

type Step = string | number;

/** One YAML document of a file, as plain data and with the place of everything in it. */
export type PlacedDocument = {
  readonly value: unknown;
  /** The problem `message` at the value under `path`; with `key`, at that key of it; with `character`, inside that text. */
  problem(message: string, path: readonly Step[], at?: At): Problem;
};

type At = { readonly key?: string; readonly character?: number; readonly severity?: Problem['severity'] };

/**
 * Parses a policy file: YAML 1.2, strict, unique keys, no aliases (a few lines of them can stand for gigabytes) and no
 * tags. Never throws: what is wrong is in `problems`.
 */
export const parsePlaced = (
  file: string,
  text: string,
): { readonly documents: readonly PlacedDocument[]; readonly problems: readonly Problem[] } => {
  const whole = (message: string): { documents: readonly PlacedDocument[]; problems: readonly Problem[] } => ({
    documents: [],
    problems: [{ severity: 'error', message, path: file, line: 1, column: 1 }],
  });
  if (text.length > MAX_FILE_CHARACTERS) return whole(`longer than ${MAX_FILE_CHARACTERS} characters`);
  try {
    const counter = new LineCounter();
    const parsed = parseAllDocuments(text, { version: '1.2', strict: true, uniqueKeys: true, lineCounter: counter });
    const documents: Document[] = 'empty' in parsed ? [] : parsed;
    if (documents.length > MAX_DOCUMENTS) return whole(`more than ${MAX_DOCUMENTS} documents`);
    const place = placer(file, counter);
    const problems = documents.flatMap((document) => syntaxProblems(document, place));
    if (problems.length > 0) return { documents: [], problems };
    const filled = documents.filter((document) => document.contents !== null);
    return { documents: filled.map((document) => placed(document, text, place)), problems };
  } catch (error) {
    // Nesting thousands of levels deep exhausts the stack inside the YAML parser.
    return whole(`not readable as YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
};

type Place = (message: string, offset: number, severity?: Problem['severity']) => Problem;

const placer =
  (file: string, counter: LineCounter): Place =>
  (message, offset, severity = 'error') => {
    const { line, col } = counter.linePos(offset);
    return { severity, message, path: file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };

const syntaxProblems = (document: Document, place: Place): Problem[] => {
  const problems = [...document.errors, ...document.warnings].map((error) =>
    place(error.message.split('\n')[0] ?? 'not YAML', error.pos[0]),
  );
  visit(document, (_key, node) => {
    if (isAlias(node)) problems.push(place('aliases are not allowed in policies', node.range?.[0] ?? 0));
    else if (isNode(node) && 'anchor' in node && node.anchor !== undefined) {
      problems.push(place('anchors are not allowed in policies', node.range?.[0] ?? 0));
    }
  });
  return problems;
};

const placed = (document: Document, text: string, place: Place): PlacedDocument => ({
  value: document.toJS({ maxAliasCount: 0 }),
  problem(message, path, { key, character, severity } = {}) {
    const node = nearest(document, path);
    if (key !== undefined && isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key);
      if (pair !== undefined && isScalar(pair.key)) return place(message, pair.key.range?.[0] ?? 0, severity);
    }
    const start = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    if (character === undefined || !isScalar(node) || typeof node.value !== 'string') {
      return place(message, start, severity);
    }
    return place(message, sourceOffset(text, start, node.value, character), severity);
  },
});

/** The node under `path`, or the nearest one above it that exists. */
const nearest = (document: Document, path: readonly Step[]): unknown => {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node)) return node;
  }
  return document.contents;
};

/**
 * Where in the file the character `index` of a scalar's value stands. Quotes, escapes, block headers and indentation
 * are only ever skipped in the source, so both texts are walked together; white space stands for any white space.
 */
const sourceOffset = (text: string, start: number, value: string, index: number): number => {
  const header = /^[|>][-+0-9]*[^\n]*\n/.exec(text.slice(start, start + 200));
  let offset = start + (header?.[0].length ?? 0);
  const wanted = (at: number): string => (value[at] ?? '').trim();
  for (let at = 0; at <= index && at < value.length; at += 1) {
    if (wanted(at) === '') continue;
    while (offset < text.length && text[offset] !== value[at]) offset += 1;
    if (at === index) return offset;
    offset += 1;
  }
  return offset;
};
