import t from 'tap';
import { bitFlips, bytes, passes, reportOf, rules, worst } from '../support/reports.ts';

const QUIET: Readonly<Record<string, string>> = {
  Hydra: 'model:\n  _target_: torch.nn.Linear\n  in_features: 4\n',
  'HyperPyYAML of a known library': 'seed: 1\nmodel: !new:torch.nn.Linear\n  n: 4\nother: !ref <seed>\n',
  'tuples of PyYAML': 'a: !!python/tuple-like\nb: !!set {x}\n'.replace('!!python/tuple-like', '!!seq []'),
  'MLmodel of scikit-learn':
    'flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.skops\n  sklearn:\n    sklearn_version: 1.5.0\n',
  'a model card': '---\nlicense: mit\ntags: [a]\n---\nBERT is a model! It has a _target_ of: its own\n',
  'aliases of aliases': `a: &a [1]\nb: &b [*a, *a]\n_target_: torch.nn.Linear\n${'c: [*b, *b]\n'.repeat(9)}`,
  'text that only begins like it': 'Note: this is text!\n  - with [brackets\n "and quotes\n!',
};

t.test('configurations of known classes and other text pass', async (t) => {
  for (const [name, text] of Object.entries(QUIET)) {
    const report = reportOf(text);
    t.ok(passes(report), `${name}: ${JSON.stringify(report.findings)}`);
    t.same(rules(report), [], name);
  }
});

const HOSTILE: Readonly<Record<string, readonly [rule: string, severity: string, text: string]>> = {
  'a tag by its whole name': ['yaml.python-tag', 'high', 'a: !<tag:yaml.org,2002:python/object/apply:os.system> [x]\n'],
  'a tag by a directive': [
    'yaml.python-tag',
    'high',
    '%TAG !e! tag:yaml.org,2002:python/\n---\na: !e!object/apply:os.system [x]\n',
  ],
  'a tag in the second document': [
    'yaml.python-tag',
    'high',
    'a: 1\n---\nb: !<tag:yaml.org,2002:python/name:os.system>\n',
  ],
  'a tag of Java': ['yaml.object-tag', 'high', 'a: !!javax.script.ScriptEngineManager [x]\n'],
  'a target with escapes': ['config.target', 'high', '"_tar\\x67et_": os.system\n'],
  'a target over two lines': ['config.target', 'high', '"_tar\\\n  get_": os.system\n'],
  'a target in flow style': ['config.target', 'high', 'a: {b: [{_target_: os.system}]}\n'],
  'a target through an alias': ['config.target', 'high', 'x: &n os.system\ny: {"_target\\x5f": *n}\n'],
  'the second of two targets': ['config.target', 'high', '_target_: torch.nn.Linear\n"_target\\x5f": os.system\n'],
  'a class of HyperPyYAML': ['config.target', 'high', 'model: !apply:os.system [x]\n'],
  'a module of nobody knows whom': ['config.target', 'medium', 'model: !new:mine.Model\n'],
  'a loader of MLflow': ['mlflow.loader', 'medium', 'flavors:\n  python_function:\n    loader_module: evil\n'],
  'a loader that runs': ['mlflow.loader', 'high', 'flavors: {python_function: {loader_module: subprocess}}\n'],
  'a path out of the model': [
    'mlflow.path',
    'high',
    'flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: ../../x.pkl\n',
  ],
  'code beside the model': [
    'mlflow.code',
    'low',
    'flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    code: code\n',
  ],
};

t.test('tags that construct, targets and loaders are found however they are spelled', async (t) => {
  for (const [name, [rule, severity, text]] of Object.entries(HOSTILE)) {
    const report = reportOf(text);
    t.ok(rules(report).includes(rule), `${name}: ${JSON.stringify(report.findings)}`);
    t.equal(worst(report), severity, name);
    t.equal(rules(report).filter((found) => found === rule).length, 1, `${name}: told once`);
  }
});

t.test('nesting without end is a limit, not a crash', async (t) => {
  for (const text of [`a: ${'- '.repeat(50_000)}!x`, `a: !x ${'['.repeat(50_000)}`, `!x ${'? '.repeat(50_000)}`]) {
    const report = reportOf(text);
    t.equal(report.coverage.bytesTotal, text.length);
  }
  t.notOk(passes(reportOf(`_target_: x\na:\n  ${'- '.repeat(5000)}x`)));
});

t.test('turned text ends in a report', async (t) => {
  for (const [, , text] of Object.values(HOSTILE))
    for (const turned of bitFlips(bytes(text), 40, 31)) t.equal(reportOf(turned).coverage.bytesTotal, text.length);
});
