import type { Budget } from '../../bytes/limits.ts';
import { dangerOf } from '../../content/python/names.ts';
import type { Remark } from '../../content/remark.ts';
import { printable, type Severity } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';
import { INERT } from '../tensorflow/operators.ts';
import { CLASSES, FUNCTIONS, LIBRARIES, MODELS, MODULE } from './allowed.ts';

/**
 * Keras describes a model as JSON (keras/src/saving/serialization_lib.py): objects of `module`, `class_name`, `config` and
 * `registered_name`, nested in each other. Loading imports the module, takes the class or function from it, and calls it
 * with the configuration, so every object is held against the classes of Keras itself. A Lambda layer carries Python
 * bytecode (marshal, base64); some layers open the files that their configuration names.
 */

/** What reads the JSON: Keras constructs every class; a SavedModel falls back to its graph for classes it does not find. */
export type Reader = 'keras' | 'saved-model';

/** Classes and functions that run code or open files by design, and what is known about them. */
const DANGEROUS: ReadonlyMap<string, readonly [what: string, ...refs: string[]]> = new Map([
  ['Lambda', ['runs Python bytecode, or a function that it names', 'CVE-2024-3660', 'CVE-2025-9905']],
  ['__lambda__', ['is Python bytecode', 'CVE-2024-3660']],
  ['TFSMLayer', ['loads a SavedModel from a path', 'CVE-2026-1462']],
  ['TorchModuleWrapper', ['unpickles a torch module', 'CVE-2025-49655']],
  ['JaxLayer', ['runs a function that it names']],
  ['FlaxLayer', ['runs a function that it names']],
  ['get_file', ['downloads and unpacks a file', 'CVE-2025-8747', 'CVE-2025-12060']],
  ['TensorFlowOpLayer', ['runs an operator of TensorFlow that it spells out']],
  ['ClassMethod', ['calls a method by its name']],
  ['InstanceMethod', ['calls a method by its name']],
]);

/** Operators that a functional model of tf.keras may call by name: those that only compute. */
const COMPUTES =
  /^(?:(?:math|nn|linalg|signal|strings|bitwise|sets|ragged|sparse|__operators__|quantization)\.[a-z0-9_.]+|image\.(?!decode)[a-z0-9_]+|(?:abs|add|add_n|argmax|argmin|argsort|boolean_mask|broadcast_to|cast|ceil|clip_by_norm|clip_by_value|compat\.v1\.(?:shape|size|transpose|squeeze|gather|nn\.[a-z0-9_]+|math\.[a-z0-9_]+|concat)|concat|cos|cumsum|divide|einsum|ensure_shape|equal|exp|expand_dims|eye|fill|floor|gather|gather_nd|greater|greater_equal|identity|less|less_equal|linspace|logical_and|logical_not|logical_or|matmul|maximum|meshgrid|minimum|multiply|negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|realdiv|reduce_[a-z]+|repeat|reshape|reverse|reverse_sequence|roll|round|scatter_nd|sequence_mask|shape|sigmoid|sign|sin|size|slice|sort|space_to_batch|split|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tan|tanh|tensor_scatter_nd_update|tensordot|tile|transpose|truediv|unstack|where|zeros|zeros_like|convert_to_tensor|constant|random\.[a-z_]+|keras\.backend\.[a-z_]+))$/;

const REFS = ['CWE-502', 'CWE-470', 'LLM03:2025', 'AML.T0010'];
/** Base64 of a marshalled code object: type c, with or without the reference flag. */
const BYTECODE = /^\s*(?:4w|Yw)[A-Z]?A[A-Za-z0-9+/\s]{40}/;
const OUTSIDE = /^(?:[\\/~]|[A-Za-z]:[\\/]|[a-z][a-z0-9+.-]{1,20}:\/\/)|(?:^|[\\/])\.\.(?:[\\/]|$)/i;
const PLACE = /(?:^|_)(?:file|filename|filepath|path|url|uri|origin|dir|directory|cache_dir|cache_subdir|extract)$/i;

/** What is wrong with the objects of a configuration, at any depth. Offsets are positions in the text. */
export const judgeConfig = (root: JsonValue, reader: Reader, budget: Budget): Remark[] => {
  const remarks: Remark[] = [];
  const waiting: JsonValue[] = [root];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    budget.spend('steps', 1);
    if (isList(value)) {
      for (const item of value) if (typeof item === 'object' && item !== null) waiting.push(item);
      if (value.some((item) => typeof item === 'string' && BYTECODE.test(item))) remarks.push(bytecode(0));
    } else if (isObject(value)) {
      judgeObject(value, reader, remarks);
      for (const item of value.entries.values()) if (typeof item === 'object' && item !== null) waiting.push(item);
    }
  }
  return remarks;
};

const bytecode = (offset: number): Remark => ({
  rule: 'keras.bytecode',
  severity: 'critical',
  message: 'the configuration carries Python bytecode',
  offset,
  evidence: '',
  refs: ['CVE-2024-3660', 'CVE-2025-9905', ...REFS],
});

const judgeObject = (object: JsonObject, reader: Reader, remarks: Remark[]): void => {
  const say = (
    rule: string,
    severity: Severity,
    message: string,
    evidence: string,
    refs: readonly string[] = [],
  ): void => {
    remarks.push({
      rule: `keras.${rule}`,
      severity,
      message,
      offset: object.at,
      evidence: printable(evidence),
      refs: [...refs, ...REFS],
    });
  };
  const { entries } = object;
  for (const [key, value] of entries) {
    if (typeof value === 'string') judgeText(key, value, say);
    if (key === 'safe_mode' && value === false)
      say('unsafe', 'high', 'switches safe loading off', key, ['CVE-2025-9906']);
  }
  if (entries.get('function_type') === 'lambda')
    say('lambda', 'high', 'a function of Python bytecode', 'function_type');
  const name = entries.get('class_name');
  const module = entries.get('module');
  if (name !== undefined && typeof name !== 'string') say('class', 'medium', 'the name of a class is no text', '');
  else if (name !== undefined) judgeClass(object, name, reader, say);
  if (typeof module === 'string' && (name !== undefined || entries.has('spec_name')))
    judgeModule(module, name ?? '', reader, say);
};

type Say = (rule: string, severity: Severity, message: string, evidence: string, refs?: readonly string[]) => void;

const judgeText = (key: string, value: string, say: Say): void => {
  if (BYTECODE.test(value))
    say('bytecode', 'critical', 'the configuration carries Python bytecode', '', ['CVE-2024-3660']);
  if (value.includes('enable_unsafe_deserialization'))
    say('unsafe', 'high', 'switches safe loading off', value, ['CVE-2025-9906']);
  const outside = OUTSIDE.test(value);
  if ((key === 'vocabulary' || key === 'idf_weights') && value !== '')
    say('vocabulary', outside ? 'high' : 'medium', 'a layer reads its vocabulary from a file', value, [
      'CVE-2025-12058',
    ]);
  else if (PLACE.test(key) && outside)
    say('path', 'medium', 'the configuration names a file or an address outside the model', value, [
      'CWE-22',
      'CWE-918',
    ]);
};

const judgeClass = (object: JsonObject, name: string, reader: Reader, say: Say): void => {
  const danger = DANGEROUS.get(name.split('>').at(-1) ?? name);
  if (danger !== undefined) {
    const [what, ...refs] = danger;
    say('class', 'high', `${printable(name, 40)} ${what}`, name, refs);
    return;
  }
  if (name === 'TFOpLambda' || name === 'SlicingOpLambda') judgeOperation(object, say);
  else if (name === 'function') judgeFunction(object.entries.get('config'), reader, say);
  else judgeCustom(object, name, reader, say);
};

/** Every other class must be one that Keras has. */
const judgeCustom = (object: JsonObject, name: string, reader: Reader, say: Say): void => {
  const registered = object.entries.get('registered_name');
  const custom = typeof registered === 'string' && registered.includes('>') ? registered : name;
  if (CLASSES.has(custom)) return;
  const module = object.entries.get('module');
  if (typeof module === 'string' && LIBRARIES.test(module)) return;
  if (typeof module === 'string' && MODULE.test(module) && /^[a-z_]/.test(name)) {
    say('class', 'high', 'a function of Keras is called with the configuration', `${module}.${name}`, [
      'CVE-2025-8747',
    ]);
    return;
  }
  if (reader === 'saved-model') return;
  say('custom-object', 'medium', 'a class that Keras does not have: loading it needs code from elsewhere', custom, [
    'CVE-2025-1550',
  ]);
};

const judgeFunction = (name: JsonValue | undefined, reader: Reader, say: Say): void => {
  if (typeof name !== 'string') {
    say('function', 'medium', 'a function without a name', '');
    return;
  }
  if (FUNCTIONS.has(name)) return;
  const danger = name.includes('.') || dangerOf(name) !== undefined || dangerOf(`builtins.${name}`) !== undefined;
  if (danger) say('function', 'high', 'a function that is none of Keras', name, ['CVE-2025-1550']);
  else if (reader === 'keras')
    say('function', 'medium', 'a function that Keras does not have', name, ['CVE-2025-1550']);
};

const judgeOperation = (object: JsonObject, say: Say): void => {
  const config = object.entries.get('config');
  const name = isObject(config) ? (config.entries.get('function') ?? config.entries.get('name')) : undefined;
  if (typeof name === 'string' && (COMPUTES.test(name) || INERT.has(name.replace(/^raw_ops\./, '')))) return;
  const evidence = typeof name === 'string' ? name : '';
  say('operation', 'high', 'a layer calls a function of TensorFlow that does more than compute', evidence);
};

const judgeModule = (module: string, name: JsonValue, reader: Reader, say: Say): void => {
  const path = typeof name === 'string' ? `${module}.${name}` : module;
  if (module === 'builtins' || MODULE.test(module)) return;
  if (LIBRARIES.test(module)) {
    say('library', 'low', 'a class of a library beside Keras', path);
    return;
  }
  const refs = ['CVE-2025-1550', 'CVE-2025-8747'];
  const dangerous = dangerOf(path) !== undefined || /^(?:__main__|_|keras)/.test(module);
  if (dangerous) say('module', 'high', 'loading imports a module and calls what it names', path, refs);
  else if (reader === 'keras')
    say('module', 'medium', 'loading imports a module that is not part of Keras', path, refs);
};

const inside = (value: JsonValue | undefined, key: string): JsonValue | undefined =>
  isObject(value) ? value.entries.get(key) : undefined;

/** True for JSON that Keras makes a model of: an object with a class and its configuration. */
export const isArchitecture = (value: JsonValue | undefined): value is JsonObject =>
  isObject(value) && typeof value.entries.get('class_name') === 'string' && value.entries.has('config');

/** Other libraries write a class and its configuration too; only of Keras is it known which classes it has. */
const isOfKeras = (architecture: JsonObject): boolean => {
  const { entries } = architecture;
  const name = entries.get('class_name');
  if (entries.has('keras_version') || entries.has('module') || entries.has('registered_name')) return true;
  return (typeof name === 'string' && MODELS.has(name)) || isList(inside(entries.get('config'), 'layers'));
};

/** What is wrong with the architectures in a document: itself, or where tools wrap it (TensorFlow.js, `model_config`). */
export const judgeDocument = (root: JsonValue, budget: Budget): Remark[] => {
  const topology = inside(root, 'modelTopology');
  const places = [root, inside(root, 'model_config'), topology, inside(topology, 'model_config')];
  return places
    .filter(isArchitecture)
    .flatMap((found) => judgeConfig(found, isOfKeras(found) ? 'keras' : 'saved-model', budget));
};
