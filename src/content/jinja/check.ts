import type { Budget } from '../../bytes/limits.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';
import { isNode, walk } from './nodes.ts';
import { parseTemplate } from './parse.ts';
import { gadgets, judge, namesOf, nestedLoops, type Objection } from './rules.ts';
import { scanTags, tagsOf } from './scan.ts';

/** Characters of one template; the longest of known models have some 30 thousand. */
const LENGTH = 1 * MIB;
/** The same objection is made this often; more say nothing new. */
const REPEATED = 3;

const REFS = ['CVE-2024-34359', 'CWE-1336', 'LLM03:2025', 'AML.T0010'];

export type TemplateVerdict = {
  readonly remarks: readonly Remark[];
  /** False when the template could not be parsed: then nothing proves it harmless. */
  readonly understood: boolean;
};

/** True when text contains a tag that Jinja would evaluate. */
export const looksLikeTemplate = (text: string): boolean => text.includes('{{') || text.includes('{%');

/**
 * Checks a Jinja chat template without rendering it: it is parsed and every filter, test, function, method and
 * attribute is held against what chat templates use (allowed.ts). Offsets of remarks are 0: the tree has none.
 * Throws LIMIT_EXCEEDED for a template over 1 MiB.
 */
export const checkTemplate = (template: string, budget: Budget): TemplateVerdict => {
  within('jinja template length', template.length, LENGTH);
  budget.spend('steps', template.length);
  const scanned = scanTags(tagsOf(template));
  const tree = parseTemplate(template);
  if (tree === undefined || !isNode(tree)) {
    const message = 'the template cannot be parsed, so nothing shows that it is harmless';
    const remark: Remark = { rule: 'jinja.unparsed', severity: 'medium', message, offset: 0, refs: REFS };
    return { remarks: [...limited(scanned), remark], understood: false };
  }
  const names = namesOf(tree);
  const objections: Objection[] = [...gadgets(tree, names), ...nestedLoops(tree)];
  for (const node of walk(tree)) {
    budget.spend('steps', 1);
    const objection = judge(node, names);
    if (objection) objections.push(objection);
  }
  const judged = objections.map(
    (objection): Remark => ({ ...objection, message: said(objection), offset: 0, refs: REFS }),
  );
  return { remarks: limited([...scanned, ...judged]), understood: true };
};

const said = ({ message, evidence }: Objection): string => `the template ${message}: ${printable(evidence, 60)}`;

const limited = (remarks: readonly Remark[]): Remark[] => {
  const seen = new Map<string, number>();
  return remarks.filter(({ rule }) => {
    const count = (seen.get(rule) ?? 0) + 1;
    seen.set(rule, count);
    return count <= REPEATED;
  });
};
