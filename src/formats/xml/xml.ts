import { obviousInjection } from '../../content/injection.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { readDocument, type Say } from './document.ts';
import { localName, type XmlEvent } from './read.ts';
import { xmlKind } from './recognise.ts';

/** Text shorter than this gives no orders. */
const SENTENCE = 20;

/** Any other document: annotations, feeds, exported settings. */
export const xml: Format = {
  name: 'xml',
  title: 'XML document',
  recognisedBy: 'an XML declaration, in UTF-8 or UTF-16, and a root element that no other format claims',
  checks:
    'well-formed, one root, bounded depth; no entities, document types, inclusions, object graphs of Java, scripts of style sheets; plain prompt injection',
  references: ['XML 1.0 (fifth edition)', 'CWE-611', 'CWE-776'],
  recognise: (head, source) => xmlKind(head, source) === 'xml',
  inspect(source, context): Inspection {
    let active = false;
    for (const { event, say } of readDocument(source, context, 'xml', 'medium')) {
      if (event.kind === 'open' && judgeElement(event, say)) active = true;
      if (event.kind !== 'text' || event.text.length < SENTENCE) continue;
      const order = obviousInjection(event.text);
      if (order !== undefined)
        say('injection', 'medium', 'orders a language model to drop its instructions', event.at, order, ['LLM01:2025']);
    }
    return { format: 'xml', content: active ? 'active' : 'inert', coverage: complete(source.size) };
  },
};

/** Elements by which a generic reader of documents fetches files, constructs objects or runs code; true when it runs. */
const judgeElement = ({ name, attributes, at }: Extract<XmlEvent, { kind: 'open' }>, say: Say): boolean => {
  const local = localName(name);
  const className = attributes.get('class') ?? '';
  if (local === 'include' && name.includes(':'))
    say('include', 'medium', 'includes another file', at, attributes.get('href') ?? '', ['CWE-98', 'CWE-611']);
  if (local === 'java' && className.includes('XMLDecoder')) {
    say('java-beans', 'high', 'java.beans.XMLDecoder calls the methods that it names', at, className, ['CWE-502']);
    return true;
  }
  if (local === 'script' && name.includes(':')) {
    say('script', 'high', 'a style sheet with a script', at, name, ['CWE-94']);
    return true;
  }
  if (/^(?:dynamic-proxy|java\.lang\.|javax?\.|sun\.|com\.sun\.)/.test(name)) {
    say('java-object', 'high', 'names a Java class to construct', at, name, ['CWE-502']);
    return true;
  }
  return false;
};
