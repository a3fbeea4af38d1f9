import { KIB } from '../../bytes/limits.ts';
import { obviousInjection } from '../../content/injection.ts';
import { complete, type Format, type Inspection, printable } from '../format.ts';

/** Bytes read at a time, and kept so that no name is cut in two. */
const BLOCK = 256 * KIB;
const OVERLAP = 32;
/** The end marker stands within this many last bytes (PDF 32000-1, annex H). */
const END_WITHIN = 1024;
/** Orders that are told. */
const CAPTIONS = 5;
/** Names of actions that a viewer runs. */
const ACTIONS = ['/JavaScript', '/JS ', '/JS(', '/Launch', '/EmbeddedFile', '/OpenAction', '/RichMedia'];

const latin = (bytes: Uint8Array): string => {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096) parts.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  return parts.join('');
};

/** PDF: papers beside models. No loader reads them; viewers run actions. */
export const pdf: Format = {
  name: 'pdf',
  title: 'PDF',
  recognisedBy: '`%PDF-` at the start',
  checks: 'the end marker in its place; names of actions, and orders to models, outside compressed streams',
  references: ['ISO 32000-1'],
  recognise: (head) => latin(head.subarray(0, 5)) === '%PDF-',
  inspect(source, context): Inspection {
    let kept = '';
    const seen = new Set<string>();
    let captions = 0;
    for (let offset = 0; offset < source.size; offset += BLOCK) {
      const text = kept + latin(source.read(offset, Math.min(BLOCK, source.size - offset)));
      for (const action of ACTIONS) {
        if (seen.has(action) || !text.includes(action)) continue;
        seen.add(action);
        const message = 'the document has an action that viewers run';
        context.report({ rule: 'pdf.action', severity: 'low', message, offset, evidence: action, refs: ['CWE-94'] });
      }
      if (captions < CAPTIONS && obviousInjection(text) !== undefined) {
        captions += 1;
        const message = 'text outside of compressed streams orders a language model around';
        const evidence = printable(obviousInjection(text) ?? '');
        const refs = ['LLM01:2025', 'AML.T0051'];
        context.report({ rule: 'text.injection', severity: 'medium', message, offset, evidence, refs });
      }
      kept = text.slice(-OVERLAP);
    }
    const end = latin(source.read(Math.max(0, source.size - END_WITHIN), Math.min(END_WITHIN, source.size)));
    if (!end.includes('%%EOF')) {
      context.report({
        rule: 'pdf.end',
        severity: 'low',
        message: 'no end marker at the end',
        offset: source.size,
        refs: ['CWE-20'],
      });
    }
    return { format: 'pdf', content: 'inert', coverage: complete(source.size) };
  },
};
