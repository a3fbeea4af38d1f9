import { MIB } from '../../bytes/limits.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { blocksOf, wholeText } from './decode.ts';
import { kindOf } from './kind.ts';
import { createTextRows } from './rows.ts';
import { checkText } from './rules.ts';

/** Bytes of a page or drawing. */
const SIZE = 32 * MIB;

/** HTML and SVG: shown by browsers, which run the scripts in them. */
export const markup: Format = {
  name: 'markup',
  title: 'HTML or SVG',
  recognisedBy: '`<!doctype html`, `<html`, `<svg`, or an XML declaration before `<svg`',
  checks: 'scripts, handlers, frames and entities; a whole HTML page is told, because error pages are saved as weights',
  references: ['https://html.spec.whatwg.org/', 'https://www.w3.org/TR/SVG2/'],
  recognise: (head, source) => kindOf(head, source) === 'markup',
  inspect(source, context): Inspection {
    const text = wholeText(source, SIZE);
    reportAll(context, checkText(text, context.budget), 0);
    const dataset = createDataset(context);
    const rows = createTextRows(dataset);
    for (const block of blocksOf(source)) rows.add(block);
    rows.end();
    reportAll(context, dataset.finish().remarks, 0);
    if (/^\s*<(?:!doctype html|html)/i.test(text.slice(0, 256))) {
      const message = 'an HTML page: what servers send in place of a file that they refuse';
      context.report({ rule: 'markup.page', severity: 'low', message, offset: 0, refs: ['CWE-345'] });
    }
    return { format: 'markup', content: 'inert', coverage: complete(source.size) };
  },
};
