import type { Budget } from '../bytes/limits.ts';
import { printable, type Severity } from '../formats/format.ts';
import { obviousInjection } from './injection.ts';
import { checkTemplate, looksLikeTemplate } from './jinja/check.ts';
import type { Remark } from './remark.ts';
import { judgeTarget } from './targets.ts';

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

/** Hydra's key and the name behind it, in JSON, JSON in JSON, Python or YAML. */
const TARGET = /_target_(?:partial_)?[\\"']{0,8}\s{0,8}[:=]\s{0,8}[\\"']{0,8}([^\s\\"',;{}[\]]{1,200})/g;
/** Targets judged of one value; a model of some hundred layers repeats a few. */
const TARGETS = 1000;

/** The worst of what the targets in `text` make a loader call; `key` may itself be Hydra's. */
const worstTarget = (key: string, text: string): { readonly severity: Severity; readonly why: string } | undefined => {
  const named = key === '_target_' ? [text] : [];
  for (const [, name = ''] of text.matchAll(TARGET)) if (named.push(name) >= TARGETS) break;
  const verdicts = [...new Set(named)].map(judgeTarget).filter((verdict) => verdict !== undefined);
  return verdicts.find(({ severity }) => severity === 'high') ?? verdicts[0];
};

/**
 * A free text value of a model's metadata. Most loaders evaluate none of it, so what stands here is of low severity: it is
 * there for whoever renders it (a page, a prompt, a template engine). Some libraries do build their model from a Hydra
 * configuration in it (CVE-2025-23304), which is as bad here as in a file of its own.
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
  const target = worstTarget(key, text);
  if (target !== undefined) {
    const message = `${printable(key, 60)} holds a _target_ that ${target.why}`;
    const refs = ['CVE-2025-23304', 'CWE-470'];
    remarks.push({
      rule: 'metadata.target',
      severity: target.severity,
      message,
      offset: 0,
      evidence: printable(text),
      refs,
    });
  }
  const injection = obviousInjection(text);
  if (injection)
    say('metadata.injection', 'speaks to a language model', printable(injection), ['LLM01:2025', 'AML.T0051']);
  return remarks;
};
