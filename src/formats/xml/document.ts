import type { RandomAccess } from '../../bytes/random-access.ts';
import { createOffsets } from '../../bytes/utf8.ts';
import type { Context, Severity } from '../format.ts';
import { printable } from '../format.ts';
import { xmlText } from './decode.ts';
import { readXml, type XmlEvent } from './read.ts';

/** Reports at a position of the text. */
export type Say = (
  rule: string,
  severity: Severity,
  message: string,
  at: number,
  evidence: string,
  refs?: readonly string[],
) => void;

/**
 * The elements and texts of a document. A document type is reported here: `severity` is what one without entities is
 * worth in this format; one that declares entities or an internal subset is always high, since parsers fetch and expand.
 */
export const readDocument = function* (
  source: RandomAccess,
  context: Context,
  format: string,
  severity: Severity,
): Generator<{ readonly event: XmlEvent; readonly say: Say }> {
  const text = xmlText(source);
  context.budget.spend('steps', text.length >> 3);
  const offsetOf = createOffsets(text);
  const say: Say = (rule, level, message, at, evidence, refs = []) =>
    context.report({
      rule: `${format}.${rule}`,
      severity: level,
      message,
      offset: offsetOf(at),
      evidence: printable(evidence),
      refs,
    });
  for (const event of readXml(text, context.budget)) {
    if (event.kind === 'doctype') {
      const entities = /<!ENTITY|%/i.test(event.text);
      if (entities) say('entity', 'high', 'declares XML entities', event.at, event.text, ['CWE-611', 'CWE-776']);
      else if (event.internal || event.external)
        say('doctype', severity, 'a document type that parsers may fetch or obey', event.at, event.text, ['CWE-611']);
    } else if (event.kind === 'instruction' && event.name !== 'xml') {
      say('instruction', 'low', 'a processing instruction', event.at, event.name, ['CWE-829']);
    } else yield { event, say };
  }
};
