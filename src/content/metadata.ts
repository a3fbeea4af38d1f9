import type { Budget } from '../bytes/limits.ts';
import { printable } from '../formats/format.ts';
import { obviousInjection } from './injection.ts';
import { checkTemplate, looksLikeTemplate } from './jinja/check.ts';
import type { Remark } from './remark.ts';

/** Spellings of code that runs something, as they stand in text that some program may evaluate. */
const CODE = [
  '__import__(',
  'os.system(',
  'subprocess.',
  'eval(',
  'exec(',
  'pickle.loads',
  'importlib.',
  'javascript:',
  '<script',
  'powershell -',
  '/bin/sh -c',
];
/** Values longer than this are cut: training logs in LoRA metadata reach megabytes. */
const LENGTH = 64 * 1024;

/**
 * A free text value of a model's metadata. No loader evaluates it, so everything here is of low severity: it is there
 * for whoever renders it (a page, a prompt, a template engine).
 */
export const checkMetadata = (key: string, value: string, budget: Budget): Remark[] => {
  const text = value.slice(0, LENGTH);
  budget.spend('steps', text.length);
  const remarks: Remark[] = [];
  const say = (rule: string, message: string, evidence: string, refs: readonly string[]): void => {
    remarks.push({ rule, severity: 'low', message: `${printable(key, 60)} ${message}`, offset: 0, evidence, refs });
  };
  const code = CODE.find((spelling) => text.includes(spelling));
  if (code !== undefined) say('metadata.code', 'contains program code', printable(text), ['CWE-94']);
  if (looksLikeTemplate(text)) {
    const worst = checkTemplate(text, budget).remarks.find(({ severity }) => severity === 'high');
    if (worst)
      say(
        'metadata.template',
        'contains a template that reaches for the interpreter',
        printable(text),
        worst.refs ?? [],
      );
  }
  const injection = obviousInjection(text);
  if (injection)
    say('metadata.injection', 'speaks to a language model', printable(injection), ['LLM01:2025', 'AML.T0051']);
  return remarks;
};
