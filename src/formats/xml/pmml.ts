import type { Budget } from '../../bytes/limits.ts';
import { KIB } from '../../bytes/limits.ts';
import { analysePython } from '../../content/python/analyse.ts';
import { downloadsAndRuns } from '../../content/shell.ts';
import { type Content, complete, type Format, type Inspection, worseContent } from '../format.ts';
import { readDocument, type Say } from './document.ts';
import { PMML_ELEMENTS, PMML_FUNCTIONS } from './pmml-names.ts';
import { localName, type XmlEvent } from './read.ts';
import { xmlKind } from './recognise.ts';

/** Characters of an extension that are read as a program. */
const PROGRAM = 64 * KIB;

/** Names of functions that are kept for the end of the document: those it defines itself count as known. */
type Calls = { readonly defined: Set<string>; readonly called: Map<string, number> };
type Opened = Extract<XmlEvent, { kind: 'open' }>;

/** PMML: trees, regressions and transformations as XML. */
export const pmml: Format = {
  name: 'pmml',
  title: 'PMML model',
  recognisedBy: 'an XML document, in UTF-8 or UTF-16, whose root is `PMML`',
  checks:
    'well-formed, no document type or entity; every element of the published schemas, every function defined, extensions that hold notes and no code',
  references: ['https://dmg.org/pmml/v4-4-1/GeneralStructure.html', 'CWE-611', 'CWE-776'],
  recognise: (head, source) => xmlKind(head, source) === 'pmml',
  inspect(source, context): Inspection {
    const calls: Calls = { defined: new Set(), called: new Map() };
    const path: string[] = [];
    let content: Content = 'inert';
    let last: Say | undefined;
    for (const { event, say } of readDocument(source, context, 'pmml', 'high')) {
      last = say;
      if (event.kind === 'close') path.pop();
      else if (event.kind === 'text')
        content = worseContent(content, judgeText(event.text, event.at, path, say, context.budget));
      else if (event.kind === 'open') {
        content = worseContent(content, judgeElement(event, path, say, calls));
        path.push(localName(event.name));
      }
    }
    if (last) content = worseContent(content, judgeCalls(calls, last));
    return { format: 'pmml', content, coverage: complete(source.size) };
  },
};

/** A table's rows have the columns of the data as elements; inside an extension anything may stand, and is doubted. */
const judgeElement = ({ name, attributes, at }: Opened, path: readonly string[], say: Say, calls: Calls): Content => {
  const local = localName(name);
  if (path.includes('row')) return 'inert';
  if (local === 'DefineFunction') calls.defined.add(attributes.get('name') ?? '');
  if (local === 'Apply') calls.called.set(attributes.get('function') ?? '', at);
  if (local === 'Extension')
    for (const value of attributes.values()) if (isCode(value)) return extensionCode(value, at, say);
  if (PMML_ELEMENTS.has(local)) return 'inert';
  const script = /script|object|iframe|import|include/i.test(local);
  const message = 'an element that no version of PMML has';
  say('element-unknown', script ? 'high' : 'medium', message, at, name, ['CWE-829']);
  return script ? 'active' : 'unknown';
};

/** No reader has to act on an extension. What a pipeline wrote of itself (`repr`, under the build task) is a note. */
const judgeText = (text: string, at: number, path: readonly string[], say: Say, budget: Budget): Content => {
  if (!path.includes('Extension') || text.trim() === '') return 'inert';
  if (isCode(text) || isProgram(text, budget)) return extensionCode(text, at, say);
  if (!path.includes('MiningBuildTask'))
    say('extension', 'low', 'an extension with text of its own', at, text, ['CWE-829']);
  return 'inert';
};

const isProgram = (text: string, budget: Budget): boolean =>
  analysePython(text.slice(0, PROGRAM), budget).remarks.some(
    ({ severity }) => severity !== 'low' && severity !== 'info',
  );

const extensionCode = (text: string, at: number, say: Say): Content => {
  say('extension-code', 'high', 'an extension holds program code for an evaluator to run', at, text, ['CWE-94']);
  return 'active';
};

/** Notes are words and numbers; statements, calls with dotted names, tags and class paths are for an interpreter. */
const isCode = (text: string): boolean =>
  downloadsAndRuns(text) !== undefined ||
  /(?:^|[;\s])(?:import|require|package|from)\s{1,8}[\w.]+\s{0,8}(?:;|\n|import|$)/.test(text) ||
  /\b(?:eval|exec|system|popen|spawn|Function|getRuntime|forName|newInstance|loadLibrary|__import__|Runtime)\s{0,4}\(/.test(
    text,
  ) ||
  /<script|javascript:|\bnew\s{1,4}java\.|\bjava\.lang\.|\bT\(/i.test(text);

const judgeCalls = ({ defined, called }: Calls, say: Say): Content => {
  let content: Content = 'inert';
  for (const [name, at] of called) {
    if (PMML_FUNCTIONS.has(name) || defined.has(name) || /^x-[a-z0-9]{1,20}$/.test(name)) continue;
    const isClass = name.includes('.');
    const message = isClass ? 'a function that is a class for the evaluator to load' : 'a function that is not defined';
    say('function-unknown', isClass ? 'high' : 'medium', message, at, name, ['CWE-470']);
    content = worseContent(content, isClass ? 'active' : 'unknown');
  }
  return content;
};
