import { sha256Hex } from '../../bytes/sha256.ts';
import { printable } from '../../formats/format.ts';
import { child, isNode, type Node, textOf, walk } from './nodes.ts';
import { parseTemplate } from './parse.ts';

/** Constructs of one template; the largest known ones have some 150. */
const CONSTRUCTS = 400;
/** Characters of a literal that are repeated. */
const LITERAL = 80;
/** Characters of a template that are described: as many as are checked. */
const LENGTH = 1 << 20;

/** What a template is made of, for comparisons. */
export type TemplateFacts = {
  readonly digest: string;
  readonly characters: number;
  /** Sorted: `filter tojson`, `call raise_exception`, `reads content`, `compares content with "..."`, `text "..."`. */
  readonly constructs: readonly string[];
};

/**
 * Describes templates as one: their digest, and what they filter, call, read, compare and hold as text. A template that cannot be
 * parsed has only its digest. Nothing is rendered.
 */
export const describeTemplates = (templates: readonly string[]): TemplateFacts => {
  const text = templates.join('\n\0');
  const found = new Set<string>();
  for (const template of templates) {
    const tree = template.length > LENGTH ? undefined : parseTemplate(template);
    if (isNode(tree)) for (const node of walk(tree)) for (const construct of constructsOf(node)) found.add(construct);
  }
  return {
    digest: sha256Hex(unitsOf(text)),
    characters: text.length,
    constructs: [...found].sort().slice(0, CONSTRUCTS),
  };
};

/** UTF-16, which needs no encoder and tells every two texts apart. */
const unitsOf = (text: string): Uint8Array => {
  const units = new Uint16Array(text.length);
  for (let at = 0; at < units.length; at++) units[at] = text.charCodeAt(at);
  return new Uint8Array(units.buffer);
};

const constructsOf = (node: Node): readonly string[] => {
  switch (node.type) {
    case 'FilterExpression': {
      const filter = child(node, 'filter');
      return [`filter ${nameOf(filter?.type === 'CallExpression' ? child(filter, 'callee') : filter)}`];
    }
    case 'CallExpression':
      return [`call ${nameOf(child(node, 'callee'))}`];
    case 'MemberExpression':
      return [`reads ${nameOf(node)}`];
    case 'TestExpression':
      return [`test ${nameOf(child(node, 'test'))}`];
    case 'BinaryExpression':
      return compared(node);
    case 'StringLiteral':
      return textOf(node).trim() === '' ? [] : [`text ${literal(textOf(node))}`];
    case 'Macro':
      return [`macro ${nameOf(child(node, 'name'))}`];
    default:
      return [];
  }
};

/** A condition on what somebody wrote, which is how a template hides a trigger. */
const compared = (node: Node): readonly string[] => {
  const operator = textOf(child(node, 'operator')) || (typeof node['operator'] === 'string' ? node['operator'] : '');
  if (!/^(?:==|!=|in|not in)$/.test(operator)) return [];
  const sides = [child(node, 'left'), child(node, 'right')];
  const text = sides.find((side) => side?.type === 'StringLiteral');
  const other = sides.find((side) => side !== text);
  return text === undefined || other === undefined ? [] : [`compares ${nameOf(other)} with ${literal(textOf(text))}`];
};

/** The last name of an expression: of `message['content'].strip()` it is `strip`, of `message.content` `content`. */
const nameOf = (node: Node | undefined): string => {
  if (node === undefined) return '';
  if (node.type === 'MemberExpression') return nameOf(child(node, 'property'));
  if (node.type === 'FilterExpression') return nameOf(child(node, 'operand'));
  if (node.type === 'CallExpression') return nameOf(child(node, 'callee'));
  return node.type === 'Identifier' || node.type === 'StringLiteral' ? printable(textOf(node), 40) : '';
};

const literal = (text: string): string => JSON.stringify(printable(text, LITERAL));
