import { MIB } from '../../bytes/limits.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { checkTemplate, looksLikeTemplate } from '../../content/jinja/check.ts';
import { type Remark, reportAll } from '../../content/remark.ts';
import { type Context, complete, type Format, type Inspection, type Severity } from '../format.ts';
import { blocksOf } from './decode.ts';
import { kindOf } from './kind.ts';
import { createTextRows } from './rows.ts';
import { checkText } from './rules.ts';
import { checkYaml, isYamlToCheck, YAML } from './yaml.ts';

/** Text up to this length is also read as the template that a loader might take it for. */
const TEMPLATE = 1 * MIB;

/** Text that is nothing more particular: model cards, vocabularies, merges, CSV, YAML, requirements, licences. */
export const plainText: Format = {
  name: 'text',
  title: 'plain text',
  recognisedBy: 'UTF-8, or UTF-16 with a byte order mark, without control characters, and no other kind of text',
  checks:
    'encoding to the last byte; commands that download and run, active markup, package sources, YAML (parsed up to 128 KiB): tags that construct, Hydra targets, MLflow loaders; XML entities, template tags; cells of tables and passages of prose against the rules for injected text, planted triggers',
  references: ['RFC 3629', 'RFC 4180'],
  recognise: (head, source) => kindOf(head, source) === 'plain',
  inspect(source, context): Inspection {
    const kept: string[] = [];
    const said = new Set<string>();
    const dataset = createDataset();
    const rows = createTextRows(dataset);
    for (const block of blocksOf(source)) {
      const { text, offset } = block;
      if (source.size <= TEMPLATE) kept.push(text);
      const remarks = checkText(text, context.budget);
      for (const remark of remarks) said.add(essence(remark));
      reportAll(context, remarks, offset);
      rows.add(block);
    }
    rows.end();
    const { remarks, rows: count } = dataset.finish();
    reportAll(context, remarks, 0);
    const whole = kept.join('');
    checkAsTemplate(whole, context);
    if (source.size <= YAML && isYamlToCheck(whole)) {
      const remarks = checkYaml(whole, context.budget).filter((remark) => !said.has(essence(remark)));
      reportAll(context, remarks, 0);
    }
    return { format: 'text', content: 'inert', coverage: complete(source.size), details: { rows: count } };
  },
};

/** The rules for lines see most of what the parser of YAML sees: it is told once. */
const essence = ({ rule, evidence, severity }: Remark): string =>
  rule === 'yaml.python-tag' ? rule : `${rule} ${severity} ${rule === 'config.target' ? evidence : ''}`;

/** Text is rarely a template, so only what no honest text holds counts, and less. */
const checkAsTemplate = (text: string, context: Context): void => {
  if (!looksLikeTemplate(text)) return;
  const severity: Severity = 'medium';
  const { remarks } = checkTemplate(text, context.budget);
  const bad = remarks.filter((remark) => remark.severity === 'high').map((remark) => ({ ...remark, severity }));
  reportAll(context, bad, 0);
};
