import { Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml';
import { type Budget, exceeded, KIB } from '../../bytes/limits.ts';
import { createOffsets } from '../../bytes/utf8.ts';
import type { Remark } from '../../content/remark.ts';
import { judgeTarget } from '../../content/targets.ts';
import { printable, type Severity } from '../format.ts';
import type { JsonValue } from '../json/parse.ts';
import { checkDocument } from '../json/rules.ts';
import { checkMlflow } from './mlflow.ts';

/** Characters that are parsed; configurations have some tens of thousands. Longer text has the rules for lines only. */
export const YAML = 128 * KIB;
/** Collections inside each other. */
const DEPTH = 100;
/** Tags of PyYAML for plain values. */
const PLAIN = /^python\/(?:none|bool|int|long|float|complex|str|unicode|bytes|list|tuple|dict)$/;
/** Tags of HyperPyYAML that name something to import: `!new:torch.nn.Linear`. */
const IMPORTING = /^!(?:new|name|apply|module):(.{1,200})$/;

/**
 * Spellings without which nothing in YAML is acted upon: tags, directives, the keys of the rules, and escapes that could
 * hide them. The parser is slow, so that other text is spared it.
 */
const RELEVANT =
  /(?:^|[\s,[{:-])!|^%|\\[xuU\r\n]|_target_|loader_module|auto_map|custom_pipeline|trust_remote|chat_template|template_format|py\/|weight_map|class_name|class_type|_(?:file|path|dir)\b|\blc\b/m;

/** Whether a text may be YAML in which something is acted upon: its first line is a key, an item, a marker or a directive. */
export const isYamlToCheck = (text: string): boolean => RELEVANT.test(text) && looksLikeYaml(text);

const looksLikeYaml = (text: string): boolean => FIRST.test(firstLine(text));

const FIRST = /^(?:---|%YAML|%TAG|[{[]|[!&][^\s]{1,200}(?:\s|$)|-\s|["']|[\w./ -]{1,100}:(?:\s|$)|\?\s)/;

/** The first line that is neither blank nor a comment, without its indentation. */
const firstLine = (text: string): string => {
  for (let at = 0; at < text.length; ) {
    const feed = text.indexOf('\n', at);
    const line = text.slice(at, feed < 0 ? text.length : feed).trim();
    if (line !== '' && !line.startsWith('#')) return line.slice(0, 300);
    if (feed < 0) return '';
    at = feed + 1;
  }
  return '';
};

/**
 * What loaders of YAML act upon: tags that construct objects, and whatever is checked in JSON documents. The parser
 * resolves directives, escapes and flow style, which rules for lines cannot; no alias is expanded.
 */
export const checkYaml = (text: string, budget: Budget): readonly Remark[] => {
  budget.spend('steps', text.length);
  const offsetOf = createOffsets(text);
  const remarks: Remark[] = [];
  for (const document of documentsOf(frontMatter(text))) {
    const tags: Remark[] = [];
    const value = asJson(document.contents, { tags, budget, anchors: new Map() }, 1);
    const checked = checkDocument(value, budget).remarks.filter(({ rule }) => !rule.startsWith('text.'));
    remarks.push(...tags, ...checked, ...checkMlflow(value));
  }
  return remarks
    .sort((a, b) => a.offset - b.offset)
    .map((remark) => ({ ...remark, offset: offsetOf(Math.min(remark.offset, text.length)) }));
};

/** A model card has YAML between two markers and prose behind. */
const frontMatter = (text: string): string => {
  const end = text.startsWith('---\n') ? text.indexOf('\n---', 3) : -1;
  if (end < 0 || looksLikeYaml(text.slice(end + 4).replace(/^[^\n]{0,200}\n/, ''))) return text;
  return text.slice(0, end + 1);
};

const documentsOf = (text: string): readonly Document.Parsed[] => {
  try {
    const parsed = parseAllDocuments(text, {
      logLevel: 'silent',
      strict: false,
      uniqueKeys: false,
      prettyErrors: false,
    });
    return Array.isArray(parsed) ? parsed.filter((document) => document instanceof Document) : [];
  } catch (error) {
    // The parser descends into collections: the stack is its only limit.
    if (error instanceof RangeError) return exceeded('YAML depth', DEPTH);
    return [];
  }
};

/** Texts by their anchors, for aliases: the package's own look-up walks the document each time. */
type Walk = { readonly tags: Remark[]; readonly budget: Budget; readonly anchors: Map<string, JsonValue> };

/** A node as a value of JSON, with its tags judged on the way. An alias is the text it stands for, or nothing. */
const asJson = (node: unknown, walk: Walk, depth: number): JsonValue => {
  if (depth > DEPTH) exceeded('YAML depth', DEPTH);
  walk.budget.spend('steps', 1);
  if (!isNode(node)) return null;
  if (isAlias(node)) return walk.anchors.get(node.source) ?? null;
  judgeTag(node, walk.tags);
  if (isScalar(node)) {
    const value = scalarOf(node.value);
    if (node.anchor !== undefined) walk.anchors.set(node.anchor, value);
    return value;
  }
  if (isSeq(node)) return node.items.map((item) => asJson(item, walk, depth + 1));
  if (!isMap(node)) return null;
  const entries = new Map<string, JsonValue>();
  for (const { key, value } of node.items) {
    const name = asJson(key, walk, depth + 1);
    const item = asJson(value, walk, depth + 1);
    const known = typeof name === 'object' ? '' : String(name);
    // Of two values under one key readers take either: both are looked at.
    if (entries.has(known))
      entries.set(`#${entries.size}`, { at: node.range?.[0] ?? 0, entries: new Map([[known, item]]) });
    else entries.set(known, item);
  }
  return { at: node.range?.[0] ?? 0, entries };
};

const scalarOf = (value: unknown): JsonValue =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;

const judgeTag = (node: Node, tags: Remark[]): void => {
  const tag = 'tag' in node && typeof node.tag === 'string' ? node.tag : '';
  const say = (rule: string, severity: Severity, message: string, refs: readonly string[]): void => {
    tags.push({ rule, severity, message, offset: node.range?.[0] ?? 0, evidence: printable(tag), refs });
  };
  const python = tag.replace(/^tag:yaml\.org,2002:/, '');
  if (python.startsWith('python/')) {
    if (!PLAIN.test(python))
      say('yaml.python-tag', 'high', 'a YAML tag constructs a Python object', ['CWE-502', 'CVE-2020-14343']);
  } else if (
    /^tag:yaml\.org,2002:(?:java|ruby|perl|js)[/:]|^!(?:ruby|java|js)\//.test(tag) ||
    /^tag:yaml\.org,2002:[a-z]+\.[a-z.]/.test(tag)
  )
    say('yaml.object-tag', 'high', 'a YAML tag constructs an object', ['CWE-502']);
  const imported = IMPORTING.exec(tag)?.[1];
  const verdict = imported === undefined ? undefined : judgeTarget(imported);
  if (verdict) say('config.target', verdict.severity, `a tag imports what ${verdict.why}`, ['CWE-470']);
};
