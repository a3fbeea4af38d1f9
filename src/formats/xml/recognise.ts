import type { RandomAccess } from '../../bytes/random-access.ts';
import { xmlStart } from './decode.ts';

/** What the first element of a document says it is. */
export type XmlKind = 'pmml' | 'openvino' | 'xml';

const known = new WeakMap<RandomAccess, XmlKind | 'none'>();

/** The kind of the document in `source`, or nothing when it is none; read once per source. */
export const xmlKind = (head: Uint8Array, source: RandomAccess): XmlKind | undefined => {
  if (!mayBegin(head)) return undefined;
  const before = known.get(source) ?? kindOf(xmlStart(source)) ?? 'none';
  known.set(source, before);
  return before === 'none' ? undefined : before;
};

/** Marks, NUL bytes of UTF-16 and white space may stand before the first `<`. */
const mayBegin = (head: Uint8Array): boolean =>
  head.find((byte) => ![0xef, 0xbb, 0xbf, 0xff, 0xfe, 0, 0x20, 0x09, 0x0a, 0x0d].includes(byte)) === 0x3c;

const kindOf = (start: string): XmlKind | undefined => {
  const isDeclared = /^\s*<\?xml\s/.test(start);
  const rest = rootAt(start);
  if (rest === undefined) return isDeclared ? 'xml' : undefined;
  const root = /^<([A-Za-z_][A-Za-z0-9_.:-]{0,100})[\s/>]/.exec(rest)?.[1] ?? '';
  const local = root.slice(root.indexOf(':') + 1);
  if (local === 'PMML') return 'pmml';
  if (local === 'net' && /^<[^>]{0,400}\sversion\s*=/.test(rest)) return 'openvino';
  // Pages and drawings are shown, not loaded: formats/text/markup.ts judges them.
  if (/^(?:html|svg)$/i.test(local)) return undefined;
  return isDeclared ? 'xml' : undefined;
};

/** The text from the root element on, behind declaration, comments and document type; nothing when that is not reached. */
const rootAt = (start: string): string | undefined => {
  let at = 0;
  for (;;) {
    at += start.slice(at).search(/\S|$/);
    const end = behind(start, at);
    if (end === at) return start.slice(at);
    if (end <= 0) return undefined;
    at = end;
  }
};

/** Where the construct at `at` of a prolog ends; `at` itself for an element, 0 when it does not end. */
const behind = (start: string, at: number): number => {
  if (start.startsWith('<?', at)) return start.indexOf('?>', at) + 1 && start.indexOf('?>', at) + 2;
  if (start.startsWith('<!--', at)) return start.indexOf('-->', at) + 1 && start.indexOf('-->', at) + 3;
  if (!start.startsWith('<!', at)) return at;
  const close = start.indexOf('>', at);
  const bracket = start.indexOf('[', at);
  if (bracket < 0 || bracket > close) return close + 1;
  const subset = start.slice(bracket).search(/\]\s*>/);
  return subset < 0 ? 0 : start.indexOf('>', bracket + subset) + 1;
};
