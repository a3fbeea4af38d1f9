import type { RandomAccess } from '../../bytes/random-access.ts';
import { obviousInjection } from '../../content/injection.ts';
import { checkTemplate } from '../../content/jinja/check.ts';
import { describeTemplates } from '../../content/jinja/constructs.ts';
import { checkMetadata } from '../../content/metadata.ts';
import { reportAll } from '../../content/remark.ts';
import { type Context, complete, type Format, type Inspection, incomplete, type Json, printable } from '../format.ts';
import { describeStructure } from '../weights/structure.ts';
import { examineValues, UNREAD } from '../weights/values.ts';
import { align, type Gguf, readGguf } from './read.ts';

/** Keys whose value goes into the bill of materials. */
const FACTS: ReadonlyMap<string, string> = new Map([
  ['general.architecture', 'architecture'],
  ['general.name', 'modelName'],
  ['general.license', 'licence'],
  ['general.size_label', 'sizeLabel'],
  ['general.organization', 'organisation'],
  ['general.basename', 'baseName'],
  ['general.finetune', 'fineTune'],
  ['general.quantized_by', 'quantisedBy'],
  ['tokenizer.ggml.model', 'tokenizer'],
]);

/**
 * GGUF, the file of llama.cpp, Ollama and others: values, tensor descriptions, aligned tensors. Chat templates inside
 * are rendered by the loader, so they are checked like those of a tokenizer's configuration.
 */
export const gguf: Format = {
  name: 'gguf',
  title: 'GGUF',
  begins: [0x47, 0x46],
  recognisedBy: '`GGUF` at the start (or `FUGG`, which is refused)',
  checks:
    'versions 1 to 3, every count and length bounded, keys and tensors unique, known value and tensor types, alignment a power of two, tensors contiguous and inside the file, nothing behind them, chat templates, plain prompt injection in texts and tokens; odd numbers in a sample of the tensors that are not quantised are told',
  references: [
    'https://github.com/ggml-org/ggml/blob/master/docs/gguf.md',
    'CVE-2024-34359',
    'CVE-2024-23496',
    'CVE-2025-53630',
  ],
  recognise: (head) => {
    const magic = String.fromCharCode(...head.subarray(0, 4));
    return magic === 'GGUF' || magic === 'FUGG';
  },
  inspect(source, context): Inspection {
    if (source.read(0, 1)[0] === 0x46) return reversed(source, context);
    const file = readGguf(source, context);
    checkEnd(file, source, context);
    const opaque = checkTexts(file, context);
    const coverage = opaque === '' ? complete(source.size) : incomplete('partial', file.dataStart, source.size, opaque);
    return {
      format: 'gguf',
      content: 'inert',
      coverage,
      details: { ...describe(file), weights: weigh(file, source, context) },
    };
  },
};

const reversed = (source: RandomAccess, context: Context): Inspection => {
  const message = 'big-endian GGUF is not read: readers on other machines see something else';
  context.report({ rule: 'gguf.big-endian', severity: 'medium', message, offset: 0, refs: ['CWE-20'] });
  return { format: 'gguf', content: 'unknown', coverage: incomplete('opaque', 4, source.size, message) };
};

/** Writers pad the last tensor to the alignment; what stands behind that belongs to another reader. */
const checkEnd = (file: Gguf, source: RandomAccess, context: Context): void => {
  const end = align(file.dataEnd, file.alignment);
  if (source.size > file.dataEnd) {
    const gap = source.read(file.dataEnd, Math.min(end, source.size) - file.dataEnd);
    if (source.size <= end && gap.every((byte) => byte === 0)) return;
    const message = `${source.size - file.dataEnd} bytes stand behind the last tensor`;
    const refs = ['CWE-434', 'AML.T0010'];
    context.report({ rule: 'gguf.trailing', severity: 'high', message, offset: file.dataEnd, refs });
  }
};

const isTemplate = (key: string): boolean => key.endsWith('.chat_template') || key.includes('.chat_template.');

/** Checks every text; returns why a template could not be understood, or nothing. */
const checkTexts = (file: Gguf, context: Context): string => {
  let opaque = '';
  for (const { key, text, offset } of file.texts) {
    if (!isTemplate(key)) {
      reportAll(context, checkMetadata(key, text, context.budget), offset);
      continue;
    }
    const { remarks, understood } = checkTemplate(text, context.budget);
    reportAll(context, remarks, offset);
    if (!understood) opaque = `${printable(key, 60)} is not a template that can be parsed`;
  }
  for (const { key, text, offset } of file.sentences) {
    if (isTemplate(key)) reportAll(context, checkTemplate(text, context.budget).remarks, offset);
    const injection = obviousInjection(text);
    if (injection === undefined) continue;
    const message = `an entry of ${printable(key, 60)} speaks to a language model`;
    const evidence = printable(injection);
    context.report({
      rule: 'gguf.token-injection',
      severity: 'low',
      message,
      offset,
      evidence,
      refs: ['LLM01:2025', 'AML.T0051'],
    });
  }
  for (const key of [...file.keys, ...file.tensors.map(({ name }) => name)]) {
    if (!/(?:^|[\\/])\.\.(?:[\\/]|$)/.test(key)) continue;
    const message = 'a key or tensor name is a path out of its folder';
    context.report({
      rule: 'gguf.name',
      severity: 'low',
      message,
      offset: 0,
      evidence: printable(key),
      refs: ['CWE-22'],
    });
  }
  return opaque;
};

/** Tensor types whose values are looked at; the others are blocks of integers, which say nothing one by one. */
const SAMPLED = new Set(['F32', 'F16', 'BF16', 'F64']);

/** Structure and sampled values, which say something of weights that are poisoned. */
const weigh = (file: Gguf, source: RandomAccess, context: Context): Json => {
  const tensors = file.tensors.map((tensor) => ({ ...tensor, dtype: tensor.type, elements: Number(tensor.elements) }));
  const plain = tensors.filter(({ dtype }) => SAMPLED.has(dtype));
  const values = plain.length === 0 ? { assessment: UNREAD } : examineValues(source, plain, context);
  return { ...describeStructure(tensors), ...values };
};

const describe = (file: Gguf): { [key: string]: Json } => {
  const details: { [key: string]: Json } = {
    version: file.version,
    tensors: file.tensors.length,
    parameters: Number(file.tensors.reduce((sum, { elements }) => sum + elements, 0n)),
    types: [...new Set(file.tensors.map(({ type }) => type))].sort(),
  };
  for (const { key, text } of file.texts) {
    const fact = FACTS.get(key);
    if (fact !== undefined) details[fact] = printable(text);
  }
  const templates = file.texts.filter(({ key }) => isTemplate(key)).map(({ text }) => text);
  if (templates.length > 0) details['template'] = describeTemplates(templates);
  for (const [key, number] of file.numbers) if (key.endsWith('.context_length')) details['contextLength'] = number;
  return details;
};
