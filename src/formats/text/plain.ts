import { MIB } from '../../bytes/limits.ts';
import { head, type RandomAccess } from '../../bytes/random-access.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { checkTemplate, looksLikeTemplate } from '../../content/jinja/check.ts';
import { type Remark, reportAll } from '../../content/remark.ts';
import { type DatasetRows, type GatheredRows, notDroppable, rowsOf, UTF16 } from '../dataset-rows.ts';
import { type Context, complete, type Format, type Inspection, type Severity } from '../format.ts';
import { declaredInCard } from '../lineage/declared.ts';
import { checkBlock, encodingOf, type RawBlock, rawBlocksOf, textOf } from './decode.ts';
import { kindOf } from './kind.ts';
import { whyNotCut } from './record-edges.ts';
import { createTextRows } from './rows.ts';
import { checkText, spendOn } from './rules.ts';
import type { Table } from './table.ts';
import { mayTell } from './telling.ts';
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
    const dataset = createDataset(context);
    const rows = createTextRows(dataset);
    for (const raw of rawBlocksOf(source)) {
      if (source.size > TEMPLATE && rows.table() !== undefined && saysNothing(raw, context) && rows.addBytes(raw))
        continue;
      const block = textOf(raw);
      const { text, offset } = block;
      if (source.size <= TEMPLATE) kept.push(text);
      const remarks = checkText(text, context.budget);
      for (const remark of remarks) said.add(essence(remark));
      reportAll(context, remarks, offset);
      rows.add(block, raw);
    }
    rows.end();
    const { remarks, rows: count, flagged } = dataset.finish();
    reportAll(context, remarks, 0);
    const whole = kept.join('');
    checkAsTemplate(whole, context);
    if (source.size <= YAML && isYamlToCheck(whole)) {
      const remarks = checkYaml(whole, context.budget).filter((remark) => !said.has(essence(remark)));
      reportAll(context, remarks, 0);
    }
    return {
      format: 'text',
      content: 'inert',
      coverage: complete(source.size),
      rows: rowsIn(source, rows.table(), flagged),
      details: { rows: count, ...declaredInCard(whole) },
    };
  },
};

/** Whether the rules for text have nothing to say about a block, as far as its bytes tell. */
const saysNothing = (raw: RawBlock, { budget }: Context): boolean => {
  if (raw.encoding.name !== 'utf-8') return false;
  checkBlock(raw);
  if (mayTell(raw.bytes)) return false;
  spendOn(raw.bytes.length, budget);
  return true;
};

/** Which rows of a table can be left out; the passages of other text are no rows. */
const rowsIn = (source: RandomAccess, table: Table | undefined, flagged: GatheredRows): DatasetRows => {
  if (table === undefined) return notDroppable(flagged, 'it is no table: passages are not rows');
  const rows = rowsOf(flagged);
  if (rows.runs === undefined) return rows;
  const { mark, name } = encodingOf(head(source, 4));
  if (name !== 'utf-8') return notDroppable(flagged, UTF16);
  if (rows.runs[0]?.first === 1) return notDroppable(flagged, 'its first row, which names the columns, is flagged');
  const why = whyNotCut(source, rows.runs, table.separator, mark);
  return why === undefined ? rows : notDroppable(flagged, why);
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
