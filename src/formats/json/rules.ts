import type { Budget } from '../../bytes/limits.ts';
import { obviousInjection } from '../../content/injection.ts';
import { checkTemplate } from '../../content/jinja/check.ts';
import type { Remark } from '../../content/remark.ts';
import { secretIn } from '../../content/secrets.ts';
import { escapes, judgeTarget } from '../../content/targets.ts';
import { printable, type Severity } from '../format.ts';
import { judgeDocument } from '../keras/config.ts';
import { checkApplication, checkObject } from './applications.ts';
import { isList, isObject, type JsonObject, type JsonValue } from './parse.ts';

/** What the rules found; `opaque` says why a part could not be understood. */
export type Checked = { readonly remarks: Remark[]; opaque: string };

const CODE_REFS = ['CWE-94', 'LLM03:2025', 'AML.T0010'];
/** Text shorter than this gives no orders. */
const SENTENCE = 20;

/**
 * Holds every object of a document, at any depth, against what model loaders act upon: code to import, templates to
 * render, files to open. Offsets are positions of the enclosing object.
 */
export const checkDocument = (root: JsonValue, budget: Budget): Checked => {
  const checked: Checked = { remarks: [], opaque: '' };
  const waiting: JsonValue[] = [root];
  if (isList(root)) checkModules(root, checked);
  checked.remarks.push(...checkApplication(root, budget), ...judgeDocument(root, budget));
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    budget.spend('steps', 1);
    if (isList(value)) {
      for (const item of value) enter(item, waiting, checked, 0);
    } else if (isObject(value)) {
      checked.remarks.push(...checkObject(value));
      for (const [key, item] of value.entries) {
        checkEntry(key, item, value, checked, budget);
        enter(item, waiting, checked, value.at);
      }
    }
  }
  return checked;
};

const enter = (item: JsonValue, waiting: JsonValue[], { remarks }: Checked, offset: number): void => {
  if (typeof item === 'object' && item !== null) waiting.push(item);
  if (typeof item !== 'string' || item.length < SENTENCE) return;
  const secret = secretIn(item);
  if (secret !== undefined) {
    const said = `holds a credential: ${secret}`;
    remarks.push({ rule: 'text.secret', severity: 'low', message: said, offset, refs: ['CWE-798'] });
  }
  const evidence = obviousInjection(item);
  if (evidence === undefined) return;
  const message = 'text orders a language model to drop its instructions';
  remarks.push({
    rule: 'text.injection',
    severity: 'medium',
    message,
    offset,
    evidence,
    refs: ['LLM01:2025', 'AML.T0051'],
  });
};

const evidenceOf = (value: JsonValue | undefined): string => {
  if (typeof value === 'string') return printable(value);
  if (isList(value)) return printable(value.filter((item) => typeof item === 'string').join(' '));
  if (isObject(value)) return printable([...value.entries].map(([key, item]) => `${key}: ${shown(item)}`).join(', '));
  return String(value);
};

/** A value inside an object, shown when it is a plain one. */
const shown = (item: JsonValue): string => (isList(item) || isObject(item) ? '...' : String(item));

const isFilled = (value: JsonValue): boolean =>
  value !== null &&
  value !== false &&
  value !== '' &&
  !(isObject(value) && value.entries.size === 0) &&
  !(isList(value) && value.length === 0);

const checkEntry = (key: string, value: JsonValue, owner: JsonObject, checked: Checked, budget: Budget): void => {
  const say = (rule: string, severity: Severity, message: string, refs: readonly string[] = CODE_REFS): void => {
    checked.remarks.push({ rule, severity, message, offset: owner.at, evidence: evidenceOf(value), refs });
  };
  switch (key) {
    case 'auto_map':
    case 'custom_pipelines':
    case 'custom_pipeline':
      if (isFilled(value))
        say(`config.${key.replace('_', '-')}`, 'medium', `${key} makes the loader import code of the repository`);
      return;
    case 'trust_remote_code':
      if (value === true) say('config.trust-remote-code', 'medium', 'asks the loader to run code of the repository');
      return;
    case '_target_':
    case '_partial_target_': {
      const verdict = typeof value === 'string' ? judgeTarget(value) : undefined;
      if (verdict) say('config.target', verdict.severity, `_target_ ${verdict.why}`, ['CVE-2025-23304', 'CWE-470']);
      return;
    }
    case 'py/object':
    case 'py/reduce':
    case 'py/function':
      say('config.jsonpickle', 'high', 'jsonpickle constructs Python objects from it', ['CWE-502']);
      return;
    case 'chat_template':
      checkTemplates(value, owner.at, checked, budget);
      return;
    case '_class_name':
      if (typeof value === 'string' && value.includes('.'))
        say('config.class-name', 'medium', '_class_name names a module');
      return;
    case 'template_format':
      // Prompts of LangChain are rendered without a sandbox when they say jinja2.
      if (value === 'jinja2') {
        say('config.prompt-template', 'low', 'a prompt is a Jinja template', ['CVE-2023-36281', 'CWE-1336']);
        checkTemplates(owner.entries.get('template') ?? null, owner.at, checked, budget);
      }
      return;
    case 'weight_map':
      checkShards(value, checked);
      return;
    default:
      if (
        typeof value === 'string' &&
        /(?:_file|_path|_dir|filename)$/.test(key) &&
        value.split(/[\\/]/).includes('..')
      ) {
        say('config.path', 'medium', `${printable(key, 40)} leads out of the model's folder`, ['CWE-22']);
      }
  }
};

/** A template, a list of `{name, template}` (several of one tokenizer), or an object from name to template. */
const checkTemplates = (value: JsonValue, offset: number, checked: Checked, budget: Budget): void => {
  if (typeof value === 'string') {
    const { remarks, understood } = checkTemplate(value, budget);
    for (const remark of remarks) checked.remarks.push({ ...remark, offset });
    if (!understood) checked.opaque = 'a chat template cannot be parsed';
  } else if (isList(value)) {
    for (const item of value)
      if (isObject(item)) checkTemplates(item.entries.get('template') ?? null, item.at, checked, budget);
  } else if (isObject(value)) {
    for (const item of value.entries.values())
      if (typeof item === 'string') checkTemplates(item, value.at, checked, budget);
  }
};

/** The shard index of safetensors and torch checkpoints: tensor name to file beside the index. */
const checkShards = (value: JsonValue, { remarks }: Checked): void => {
  if (!isObject(value)) return;
  for (const file of new Set(value.entries.values())) {
    const beside = typeof file === 'string' && file !== '' && !escapes(file) && !/[\\/]/.test(file);
    if (beside) continue;
    const message = 'a shard is not a file beside its index';
    remarks.push({
      rule: 'config.shard-path',
      severity: 'high',
      message,
      offset: value.at,
      evidence: evidenceOf(file),
      refs: ['CWE-22'],
    });
  }
};

/** `modules.json` of sentence-transformers: classes that are imported and constructed, and the folders they read. */
const checkModules = (root: readonly JsonValue[], { remarks }: Checked): void => {
  for (const item of root) {
    if (!isObject(item)) continue;
    const type = item.entries.get('type');
    const path = item.entries.get('path');
    if (typeof type !== 'string' || typeof path !== 'string' || !item.entries.has('idx')) continue;
    const verdict = judgeTarget(type);
    if (verdict) {
      const message = `the module's type ${verdict.why}`;
      remarks.push({
        rule: 'config.module-type',
        severity: verdict.severity,
        message,
        offset: item.at,
        evidence: printable(type),
        refs: CODE_REFS,
      });
    }
    if (escapes(path)) {
      const message = "the module's path leads out of the model's folder";
      remarks.push({
        rule: 'config.module-path',
        severity: 'high',
        message,
        offset: item.at,
        evidence: printable(path),
        refs: ['CWE-22'],
      });
    }
  }
};
