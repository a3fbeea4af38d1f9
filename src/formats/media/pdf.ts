import { latin1 } from '../../bytes/latin1.ts';
import { KIB } from '../../bytes/limits.ts';
import { obviousInjection } from '../../content/injection.ts';
import { type Context, complete, type Format, type Inspection, incomplete, printable } from '../format.ts';
import { textOf } from './captions.ts';
import { heldText, plainNames } from './pdf-streams.ts';

/** Bytes read at a time, and kept so that no name is cut in two. */
const BLOCK = 256 * KIB;
const OVERLAP = 32;
/** The end marker stands within this many last bytes (PDF 32000-1, annex H). */
const END_WITHIN = 1024;
/** Orders that are told. */
const CAPTIONS = 5;
/** Names of actions that a viewer runs, up to the delimiter behind them. */
const ACTIONS = /\/(?:JavaScript|JS|Launch|EmbeddedFiles?|OpenAction|RichMedia)(?=[\s(<[/>])/g;
/** Where the data of a stream begin (ISO 32000-1, 7.3.8). */
const STREAMS = /(?<!end)stream\r?\n/g;

/** PDF: papers beside models. No loader reads them; viewers run actions. */
export const pdf: Format = {
  name: 'pdf',
  title: 'PDF',
  begins: [0x25],
  recognisedBy: '`%PDF-` at the start',
  checks:
    'the end marker in its place; names of actions, and orders to models, in plain text and in compressed objects and metadata; not in pages',
  references: ['ISO 32000-1'],
  recognise: (head) => latin1(head.subarray(0, 5)) === '%PDF-',
  inspect(source, context): Inspection {
    const look = createLook(context);
    const unread = new Set<string>();
    let kept = '';
    let begun = 0;
    for (let offset = 0; offset < source.size; offset += BLOCK) {
      const text = kept + latin1(source.read(offset, Math.min(BLOCK, source.size - offset)));
      look(text, offset);
      if (/\/Encrypt(?=[\s</])/.test(text)) unread.add('the text is encrypted');
      for (const { 0: word, index } of text.matchAll(STREAMS)) {
        const start = offset - kept.length + index + word.length;
        // One that stands in what was kept has been read.
        if (start <= begun) continue;
        begun = start;
        const held = heldText(source, start, context);
        if (held === undefined) continue;
        if ('unread' in held) unread.add(held.unread);
        else look(textOf(held.bytes), start);
      }
      kept = text.slice(-OVERLAP);
    }
    const end = latin1(source.read(Math.max(0, source.size - END_WITHIN), Math.min(END_WITHIN, source.size)));
    if (!end.includes('%%EOF')) {
      context.report({
        rule: 'pdf.end',
        severity: 'low',
        message: 'no end marker at the end',
        offset: source.size,
        refs: ['CWE-20'],
      });
    }
    const [reason] = unread;
    const coverage =
      reason === undefined ? complete(source.size) : incomplete('partial', source.size, source.size, reason);
    return { format: 'pdf', content: 'inert', coverage };
  },
};

/** Tells actions, each once, and orders in the text that begins near an offset. */
const createLook = (context: Context): ((text: string, offset: number) => void) => {
  const seen = new Set<string>();
  let captions = 0;
  return (text, offset) => {
    for (const [action] of plainNames(text).matchAll(ACTIONS)) {
      if (seen.has(action)) continue;
      seen.add(action);
      const message = 'the document has an action that viewers run';
      context.report({ rule: 'pdf.action', severity: 'low', message, offset, evidence: action, refs: ['CWE-94'] });
    }
    const order = captions < CAPTIONS ? obviousInjection(text) : undefined;
    if (order === undefined) return;
    captions += 1;
    const message = 'text in the document orders a language model around';
    const refs = ['LLM01:2025', 'AML.T0051'];
    context.report({ rule: 'text.injection', severity: 'medium', message, offset, evidence: printable(order), refs });
  };
};
