import type { Budget } from '../../bytes/limits.ts';
import type { Remark } from '../../content/remark.ts';
import { escapes } from '../../content/targets.ts';
import { boosterOf, checkBooster } from '../boosting/trees.ts';
import { printable, type Severity } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from './parse.ts';

/** Remarks of one document; more say nothing new. */
const REMARKS = 100;
/** Packages whose classes LangChain's own loader constructs without asking. */
const LANGCHAIN = /^(?:langchain|langchain_[a-z0-9_]{1,40}|langgraph)$/;
/** Handlers that TorchServe brings; any other name is a file of Python in the archive. */
const HANDLERS = new Set(['image_classifier', 'image_segmenter', 'object_detector', 'text_classifier']);
/** Names of nodes that run what is typed into them. */
const RUNS = /(?:python|eval|exec|script|shell|command|subprocess|code(?:block|runner|node)?$)/i;

type Say = (
  rule: string,
  severity: Severity,
  message: string,
  offset: number,
  evidence: string,
  refs: readonly string[],
) => void;

const collect = (): { readonly remarks: Remark[]; readonly say: Say } => {
  const remarks: Remark[] = [];
  const say: Say = (rule, severity, message, offset, evidence, refs) => {
    if (remarks.length < REMARKS)
      remarks.push({ rule, severity, message, offset, evidence: printable(evidence), refs });
  };
  return { remarks, say };
};

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');
const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (isList(value) ? value : []);

/** Holds a whole document against the applications that load one of its shape: XGBoost, MXNet, TorchServe. */
export const checkApplication = (root: JsonValue, budget: Budget): Remark[] => {
  if (!isObject(root)) return [];
  const learner = boosterOf(root);
  if (learner) return checkBooster(learner, budget);
  const { remarks, say } = collect();
  if (root.entries.has('arg_nodes') && root.entries.has('heads')) checkSymbol(root, budget, say);
  const model = root.entries.get('model');
  if (isObject(model) && model.entries.has('modelName')) checkArchive(model, say);
  return remarks;
};

/** Holds one object at any depth against LangChain's constructors and the nodes of ComfyUI. */
export const checkObject = ({ entries, at }: JsonObject): Remark[] => {
  const { remarks, say } = collect();
  if (entries.has('lc')) checkConstructor(entries, at, say);
  checkHandlers(entries, at, say);
  const node = textOf(entries.get('class_type')) || (entries.has('widgets_values') ? textOf(entries.get('type')) : '');
  if (RUNS.test(node))
    say('config.workflow-code', 'medium', 'a node of a workflow runs what is typed into it', at, node, ['CWE-94']);
  return remarks;
};

const checkConstructor = (entries: JsonObject['entries'], at: number, say: Say): void => {
  const type = textOf(entries.get('type'));
  const path = listOf(entries.get('id')).map(textOf);
  const name = path.join('.');
  if (type === 'constructor') {
    const known = LANGCHAIN.test(path[0] ?? '');
    const message = known
      ? 'LangChain constructs an object from it'
      : 'LangChain is asked for a class of another package';
    say('config.langchain', known ? 'low' : 'medium', message, at, name, ['CWE-502', 'CVE-2025-68664']);
  } else if (type === 'secret')
    say('config.langchain-secret', 'medium', 'LangChain puts a variable of the environment here', at, name, [
      'CWE-526',
    ]);
};

/** Orbax writes into its metadata which class restores what, and never a function. */
const checkHandlers = (entries: JsonObject['entries'], at: number, say: Say): void => {
  const handlers = entries.get('item_handlers');
  const names = isObject(handlers) ? [...handlers.entries.values()] : [handlers];
  for (const name of names.map(textOf))
    if (name !== '' && !/^orbax\.[A-Za-z0-9_.]{1,200}$/.test(name))
      say('config.checkpoint-handler', 'medium', 'a checkpoint is restored by a class that is not of Orbax', at, name, [
        'CWE-470',
      ]);
  for (const key of ['restore_fn', 'restore_function', 'custom_restore', 'restore_callback'])
    if (textOf(entries.get(key)) !== '')
      say(
        'config.checkpoint-handler',
        'medium',
        'a checkpoint names a function that restores it',
        at,
        textOf(entries.get(key)),
        ['CWE-470'],
      );
};

/** The graph of MXNet: each node takes its inputs from nodes before it. */
const checkSymbol = (root: JsonObject, budget: Budget, say: Say): void => {
  const nodes = listOf(root.entries.get('nodes'));
  budget.spend('steps', nodes.length);
  for (const [index, node] of nodes.entries()) {
    if (!isObject(node)) continue;
    const operator = textOf(node.entries.get('op'));
    if (operator === 'Custom' || /^_?CustomFunction$/.test(operator))
      say(
        'mxnet.custom-operator',
        'medium',
        'an operator that Python code of the application implements',
        node.at,
        operator,
        ['CWE-829'],
      );
    else if (!/^[A-Za-z_][A-Za-z0-9_.]{0,127}$/.test(operator))
      say('mxnet.operator-name', 'medium', 'the name of an operator is none', node.at, operator, ['CVE-2022-24294']);
    const inputs = listOf(node.entries.get('inputs')).map((input) => listOf(input)[0]);
    if (inputs.some((input) => typeof input !== 'number' || input < 0 || input >= index))
      say('mxnet.input', 'medium', 'a node takes its input from no node before it', node.at, operator, ['CWE-129']);
  }
  const heads = listOf(root.entries.get('heads')).map((head) => listOf(head)[0]);
  for (const place of [...heads, ...listOf(root.entries.get('arg_nodes'))])
    if (typeof place !== 'number' || place < 0 || place >= nodes.length)
      say(
        'mxnet.input',
        'medium',
        'the graph names a node that does not exist',
        root.at,
        typeof place === 'number' ? String(place) : '',
        ['CWE-129'],
      );
};

/** MAR-INF/MANIFEST.json of TorchServe: files of the archive, and the handler that is imported. */
const checkArchive = (model: JsonObject, say: Say): void => {
  for (const key of ['serializedFile', 'modelFile', 'handler', 'requirementsFile', 'extraFiles', 'configFile']) {
    const value = textOf(model.entries.get(key));
    if (value !== '' && (escapes(value) || /^[a-z]{2,10}:\/\//i.test(value)))
      say('config.archive-path', 'high', `${key} leads out of the archive`, model.at, value, [
        'CWE-22',
        'CVE-2023-43654',
      ]);
  }
  const handler = textOf(model.entries.get('handler'));
  if (handler !== '' && !HANDLERS.has(handler))
    say('config.archive-handler', 'low', 'the server imports the handler that the archive brings', model.at, handler, [
      'CWE-829',
    ]);
};
