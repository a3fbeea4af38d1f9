import { MIB } from '../../bytes/limits.ts';
import { checkTemplate, looksLikeTemplate } from '../../content/jinja/check.ts';
import { reportAll } from '../../content/remark.ts';
import { type Context, complete, type Format, type Inspection, type Severity } from '../format.ts';
import { blocksOf } from './decode.ts';
import { kindOf } from './kind.ts';
import { checkText } from './rules.ts';

/** Text up to this length is also read as the template that a loader might take it for. */
const TEMPLATE = 1 * MIB;

/** Text that is nothing more particular: model cards, vocabularies, merges, CSV, YAML, requirements, licences. */
export const plainText: Format = {
  name: 'text',
  title: 'plain text',
  recognisedBy: 'UTF-8, or UTF-16 with a byte order mark, without control characters, and no other kind of text',
  checks:
    'encoding to the last byte; commands that download and run, active markup, package sources, YAML tags and Hydra targets, XML entities, template tags, plain prompt injection',
  references: ['RFC 3629', 'RFC 4180'],
  recognise: (head, source) => kindOf(head, source) === 'plain',
  inspect(source, context): Inspection {
    const kept: string[] = [];
    for (const { text, offset } of blocksOf(source)) {
      if (source.size <= TEMPLATE) kept.push(text);
      reportAll(context, checkText(text, context.budget), offset);
    }
    checkAsTemplate(kept.join(''), context);
    return { format: 'text', content: 'inert', coverage: complete(source.size) };
  },
};

/** Text is rarely a template, so only what no honest text holds counts, and less. */
const checkAsTemplate = (text: string, context: Context): void => {
  if (!looksLikeTemplate(text)) return;
  const severity: Severity = 'medium';
  const { remarks } = checkTemplate(text, context.budget);
  const bad = remarks.filter((remark) => remark.severity === 'high').map((remark) => ({ ...remark, severity }));
  reportAll(context, bad, 0);
};
