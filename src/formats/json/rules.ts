import type { Budget } from '../../bytes/limits.ts';
import { createDataset, type Dataset } from '../../content/injection/dataset.ts';
import type { Span } from '../../content/injection/flagged.ts';
import { checkTemplate, looksLikeTemplate } from '../../content/jinja/check.ts';
import type { Remark } from '../../content/remark.ts';
import { secretIn } from '../../content/secrets.ts';
import { dangerousTarget, escapes, judgeTarget } from '../../content/targets.ts';
import type { GatheredRows } from '../dataset-rows.ts';
import { printable, SEVERITIES, type Severity } from '../format.ts';
import { judgeDocument } from '../keras/config.ts';
import { checkApplication, checkObject } from './applications.ts';
import { type Duplicate, isList, isObject, type JsonObject, type JsonValue } from './parse.ts';
import { toldBy } from './telling.ts';

/** What the rules found; `opaque` says why a part could not be understood. `flagged` are the rows of a list. */
export type Checked = {
  readonly remarks: Remark[];
  opaque: string;
  flagged?: GatheredRows;
};

const CODE_REFS = ['CWE-94', 'LLM03:2025', 'AML.T0010'];
/** Text shorter than this holds no credential. */
const CREDENTIAL = 20;
/** Steps for one value: most are numbers, which cost nothing. */
const VALUE = 1 / 16;

/**
 * Holds every object of a document, at any depth, against what model loaders act upon: code to import, templates to
 * render, files to open; and its texts against the rules for injected ones, as one row, or as the rows of a list.
 * Offsets are positions of the enclosing object.
 */
export const checkDocument = (
  root: JsonValue,
  budget: Budget,
  options: Parameters<typeof createDataset>[0] = {},
  duplicates: readonly Duplicate[] = [],
): Checked => {
  const checked: Checked = { remarks: [], opaque: '' };
  const dataset = createDataset(options);
  if (isList(root)) {
    checkModules(root, checked);
    checked.remarks.push(...checkApplication(root, budget), ...judgeDocument(root, budget));
    let place = 0;
    for (const [index, row] of root.entries()) {
      const before = checked.remarks.length;
      checkValues(row, dataset, checked, budget, 0);
      const next = root[index + 1];
      const end = isObject(next) ? next.at : Number.POSITIVE_INFINITY;
      for (let twice = duplicates[place]; twice !== undefined && twice.at < end; twice = duplicates[++place])
        checkOverwritten(twice, dataset, checked, budget, 0);
      endRow(dataset, checked.remarks.slice(before), isObject(row) ? { start: row.at, end: row.at } : undefined);
    }
  } else {
    checkRow(root, withoutTemplates(dataset), checked, budget, 0);
    for (const twice of duplicates) checkOverwritten(twice, dataset, checked, budget, 0);
    dataset.endRow();
  }
  const { remarks, flagged } = dataset.finish();
  checked.remarks.push(...remarks);
  if (isList(root)) checked.flagged = flagged;
  return checked;
};

/**
 * The chat template of a document's own (`tokenizer_config.json`) orders a language model around by design, in code that
 * reads like control tokens. It was judged as the template that it is, as in a file of its own or in a GGUF; a set of rows has
 * no such column.
 */
const withoutTemplates = (dataset: Dataset): Dataset => ({
  ...dataset,
  cell(column, text, offset) {
    const own = /^chat_template(?:$|[.[])/.test(column) && looksLikeTemplate(text);
    if (own) dataset.named(column);
    else dataset.cell(column, text, offset);
  },
});

/** Ends a row, which what is dangerous in it by itself flags as well. */
export const endRow = (dataset: Dataset, remarks: readonly Remark[], span: Span | undefined): void => {
  for (const { rule, severity, evidence = '' } of remarks)
    if (SEVERITIES.indexOf(severity) >= FLAGS) dataset.flag(rule, evidence);
  dataset.endRow(undefined, span);
};
const FLAGS = SEVERITIES.indexOf('medium');

/** One record, as a document of its own whose text is in the current row of `dataset`, where it stands at `base` in the file. */
export const checkRow = (root: JsonValue, dataset: Dataset, checked: Checked, budget: Budget, base: number): void => {
  checked.remarks.push(...checkApplication(root, budget), ...judgeDocument(root, budget));
  if (isList(root)) checkModules(root, checked);
  checkValues(root, dataset, checked, budget, base);
};

/** A value that readers see who take the first of a key that stands twice: in the current row of `dataset`. */
export const checkOverwritten = (
  { key, at, value }: Duplicate,
  dataset: Dataset,
  checked: Checked,
  budget: Budget,
  base: number,
): void => checkRow({ at, entries: new Map([[key, value]]) }, dataset, checked, budget, base);

/** A value that waits to be looked into, and the column that it belongs to. */
type Waiting = { readonly value: JsonValue; readonly column: string };

const checkValues = (root: JsonValue, dataset: Dataset, checked: Checked, budget: Budget, base: number): void => {
  const waiting: Waiting[] = [];
  const enter = (item: JsonValue, column: string, offset: number): void => {
    if (typeof item === 'object' && item !== null) {
      dataset.named(column);
      waiting.push({ value: item, column });
    } else if (typeof item === 'string') {
      dataset.cell(column, item, base + offset);
      checkSecret(item, offset, checked);
    } else if (typeof item === 'number') dataset.column(column);
    else dataset.named(column);
  };
  enter(root, '', 0);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, column } = next;
    const before = waiting.length;
    if (isList(value)) {
      budget.spend('steps', value.length * VALUE);
      const name = column.endsWith('[]') ? column : `${column}[]`;
      for (const item of value) enter(item, name, 0);
    } else if (isObject(value)) {
      budget.spend('steps', 1);
      checked.remarks.push(...checkObject(value));
      const tells = [...value.entries.keys()].some((key) => toldBy(key) !== undefined);
      for (const [key, item] of value.entries) {
        if (tells) checkEntry(key, item, value, checked, budget);
        enter(item, column === '' ? key : `${column}.${key}`, value.at);
      }
    }
    // The last one is next: what waits is read in the order in which it stands.
    if (waiting.length - before > 1) for (const later of waiting.splice(before).reverse()) waiting.push(later);
  }
};

const checkSecret = (text: string, offset: number, { remarks }: Checked): void => {
  if (text.length < CREDENTIAL) return;
  const secret = secretIn(text);
  if (secret === undefined) return;
  const message = `holds a credential: ${secret}`;
  remarks.push({ rule: 'text.secret', severity: 'low', message, offset, refs: ['CWE-798'] });
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

/** Other templates: prompts of chains and agents, which some program formats. Only what no honest text holds counts. */
const checkOtherTemplate = (key: string, value: JsonValue, offset: number, checked: Checked, budget: Budget): void => {
  if (typeof value !== 'string' || !/template|prompt/i.test(key) || !looksLikeTemplate(value)) return;
  for (const remark of checkTemplate(value, budget).remarks)
    if (remark.severity === 'high') checked.remarks.push({ ...remark, severity: 'medium', offset });
};

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
      if (isObject(value) && [...value.entries.values()].some(leadsOut))
        say('config.auto-map-path', 'high', `${key} names code outside of the repository`, ['CWE-22', ...CODE_REFS]);
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
    // Of other frameworks and of many projects: only what is dangerous in itself counts.
    case 'class_path':
    case 'target':
    case '__class__': {
      const danger = typeof value === 'string' && value.includes('.') ? dangerousTarget(value) : undefined;
      if (danger !== undefined) say('config.target', 'high', `${key} ${danger}`, ['CWE-470']);
      return;
    }
    case 'py/object':
    case 'py/reduce':
    case 'py/function':
    case 'py/type':
    case 'py/mod':
    case 'py/repr':
    case 'py/newargs':
    case 'py/newargsex':
    case 'py/newobj':
    case 'py/initargs':
      say('config.jsonpickle', 'high', 'jsonpickle constructs Python objects from it', ['CWE-502']);
      return;
    case 'chat_template':
      checkTemplates(value, owner.at, checked, budget);
      return;
    case '_class_name':
      if (typeof value === 'string' && value.includes('.'))
        say('config.class-name', 'medium', '_class_name names a module');
      if (isList(value))
        say('config.class-name', 'medium', '_class_name makes the loader import code of the repository');
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
      checkOtherTemplate(key, value, owner.at, checked, budget);
      if (isList(value) && (owner.entries.has('_class_name') || owner.entries.has('_diffusers_version')))
        checkComponent(value, say);
      if (
        typeof value === 'string' &&
        /(?:_file|_path|_dir|filename)$/.test(key) &&
        value.split(/[\\/]/).includes('..')
      ) {
        say('config.path', 'medium', `${printable(key, 40)} leads out of the model's folder`, ['CWE-22']);
      }
  }
};

type Say = (rule: string, severity: Severity, message: string, refs?: readonly string[]) => void;

/** `["library", "Class"]` of a diffusers pipeline: the library is imported by name. */
const checkComponent = (value: readonly JsonValue[], say: Say): void => {
  const [library, name] = value;
  if (value.length !== 2 || typeof library !== 'string' || typeof name !== 'string') return;
  const danger = /^[A-Za-z_][\w.]*$/.test(library) && name !== '' ? dangerousTarget(`${library}.${name}`) : undefined;
  if (danger !== undefined) say('config.component', 'high', `a component of the pipeline ${danger}`, ['CWE-470']);
};

/** A path that climbs or is absolute; `owner/repo--module.Class` names another repository and is judged there. */
const leadsOut = (value: JsonValue): boolean => typeof value === 'string' && escapes(value);

/** A template, a list of `{name, template}` (several of one tokenizer), or an object from name to template. */
const checkTemplates = (value: JsonValue, offset: number, checked: Checked, budget: Budget): void => {
  if (typeof value === 'string') {
    const { remarks, understood } = checkTemplate(value, budget);
    for (const remark of remarks) checked.remarks.push({ ...remark, offset });
    if (!understood) checked.opaque = 'a chat template cannot be parsed';
  } else if (isList(value)) {
    for (const item of value) checkTemplates(item, isObject(item) ? item.at : offset, checked, budget);
  } else if (isObject(value)) {
    for (const [key, item] of value.entries) {
      if (key !== 'name') checkTemplates(item, value.at, checked, budget);
    }
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
export const checkModules = (root: readonly JsonValue[], { remarks }: Checked): void => {
  for (const item of root) {
    if (!isObject(item)) continue;
    const type = item.entries.get('type');
    const path = item.entries.get('path');
    const isModule = typeof path === 'string' || item.entries.has('idx');
    if (typeof type !== 'string' || !isModule || !(type.includes('.') || dangerousTarget(type))) continue;
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
    if (typeof path === 'string' && escapes(path)) {
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
