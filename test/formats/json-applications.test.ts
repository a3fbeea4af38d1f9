import t from 'tap';
import { passes, reportOf, rules } from '../support/reports.ts';

const QUIET: Readonly<Record<string, unknown>> = {
  'a graph of MXNet': {
    nodes: [
      { op: 'null', name: 'data', inputs: [] },
      { op: 'FullyConnected', name: 'fc', inputs: [[0, 0, 0]] },
    ],
    arg_nodes: [0],
    heads: [[1, 0, 0]],
  },
  'a workflow of ComfyUI': { 1: { class_type: 'KSampler', inputs: { seed: 1, model: ['2', 0] } } },
  'metadata of Orbax': { item_handlers: { default: 'orbax.checkpoint.PyTreeCheckpointHandler' }, metrics: {} },
  'a prompt': { _type: 'prompt', template: 'Say {x}', template_format: 'f-string' },
  'a manifest of TorchServe': { model: { modelName: 'm', serializedFile: 'm.pt', handler: 'image_classifier' } },
};
const TOLD: Readonly<Record<string, readonly [rule: string, passes: boolean, value: unknown]>> = {
  'a constructor of LangChain': [
    'config.langchain',
    true,
    { lc: 1, type: 'constructor', id: ['langchain', 'prompts', 'PromptTemplate'], kwargs: {} },
  ],
  'a constructor of another package': [
    'config.langchain',
    false,
    { a: [{ lc: 1, type: 'constructor', id: ['os', 'system'], kwargs: {} }] },
  ],
  'a secret of LangChain': ['config.langchain-secret', false, { k: { lc: 1, type: 'secret', id: ['AWS_KEY'] } }],
  'a node that runs text': ['config.workflow-code', false, { 3: { class_type: 'PythonExec', inputs: { code: 'x' } } }],
  'a node of the editor that runs text': [
    'config.workflow-code',
    false,
    { nodes: [{ type: 'RunShellCommand', widgets_values: ['id'] }] },
  ],
  'a custom operator of MXNet': [
    'mxnet.custom-operator',
    false,
    { nodes: [{ op: 'Custom', name: 'c', inputs: [] }], arg_nodes: [], heads: [[0, 0, 0]] },
  ],
  'an operator whose name is none': [
    'mxnet.operator-name',
    false,
    { nodes: [{ op: `a${'['.repeat(50)}`, name: 'c', inputs: [] }], arg_nodes: [], heads: [[0, 0, 0]] },
  ],
  'a graph that goes round': [
    'mxnet.input',
    false,
    { nodes: [{ op: 'relu', name: 'c', inputs: [[0, 0, 0]] }], arg_nodes: [], heads: [[0, 0, 0]] },
  ],
  'a handler of Orbax from elsewhere': ['config.checkpoint-handler', false, { item_handlers: { a: 'evil.Handler' } }],
  'a function that restores': ['config.checkpoint-handler', false, { tree: { restore_fn: 'os.system' } }],
  'a prompt in Jinja': ['config.prompt-template', true, { template: 'Say {{ x }}', template_format: 'jinja2' }],
  'a handler of the archive': ['config.archive-handler', true, { model: { modelName: 'm', handler: 'h.py' } }],
  'a file elsewhere': ['config.archive-path', false, { model: { modelName: 'm', serializedFile: 'http://h/x.pt' } }],
};

t.test('files of applications that name nothing to run pass', async (t) => {
  for (const [name, value] of Object.entries(QUIET)) {
    const report = reportOf(JSON.stringify(value, null, 1));
    t.same(rules(report), [], name);
    t.ok(passes(report), name);
  }
});

t.test('what applications construct, call or fetch is told', async (t) => {
  for (const [name, [rule, pass, value]] of Object.entries(TOLD)) {
    const report = reportOf(JSON.stringify(value, null, 1));
    t.ok(rules(report).includes(rule), `${name}: ${rules(report)}`);
    t.equal(passes(report), pass, name);
  }
});
