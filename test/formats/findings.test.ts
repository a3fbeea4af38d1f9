import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { explain, explainedAs, findings, tables } from '../../src/formats/findings/explain.ts';
import { inspect } from '../../src/formats/index.ts';
import { rulesInSource } from '../support/finding-rules.ts';
import { findingsPage } from '../support/findings-page.ts';
import { textOf } from '../support/project.ts';
import { samples } from './samples/index.ts';

const ID = /^(CVE-\d{4}-\d{4,}|CWE-\d+|LLM\d{2}:2025|AML\.T\d{4}(\.\d{3})?|NISTAML\.\d{2,3})$/;
/** Rules whose names are made from keys of a configuration: seen below. */
const COMPUTED = ['config.auto-map', 'config.custom-pipeline', 'config.custom-pipelines'];

const whatOf = (rule: string): string => rule.slice(rule.indexOf('.'));

t.test('every rule says what it is, why it matters, what to do, and refers to something', async (t) => {
  const keys = tables.flatMap((table) => Object.keys(table));
  t.ok(keys.length > 150, `${keys.length} rules`);
  t.equal(new Set(keys).size, keys.length, 'no rule stands in two tables');
  for (const [rule, { title, why, advice, refs }] of Object.entries(findings)) {
    for (const text of [title, why, advice]) {
      if (!/^[\x20-\x7e]{10,}[.:]$/.test(text) || text.includes('|')) t.fail(`${rule}: ${text}`);
    }
    const wrong = refs.filter((ref) => !ID.test(ref));
    if (refs.length === 0 || refs.length > 32 || wrong.length > 0) t.fail(`${rule}: ${refs.join(', ')}`);
    if (new Set(refs).size !== refs.length) t.fail(`${rule} refers to something twice`);
    if (!refs.some((ref) => ref.startsWith('CWE-') || ref.startsWith('LLM'))) t.fail(`${rule}: neither CWE nor OWASP`);
  }
});

t.test('every rule in the source is explained, and every explanation is of a rule in the source', async (t) => {
  t.ok(rulesInSource.size > 150, `${rulesInSource.size} rules`);
  const suffixes = new Set(Object.keys(findings).map(whatOf));
  const unexplained = [...rulesInSource].filter((rule) =>
    rule.startsWith('*.') ? !suffixes.has(whatOf(rule)) : explain(rule) === undefined,
  );
  t.same(unexplained, [], 'a rule has no explanation in src/formats/findings/');
  const written = new Set([...rulesInSource].map(whatOf));
  const unused = Object.keys(findings).filter((key) => {
    if (rulesInSource.has(key) || COMPUTED.includes(key)) return false;
    return key.startsWith('*.') ? !written.has(whatOf(key)) : !rulesInSource.has(`*${whatOf(key)}`);
  });
  t.same(unused, [], 'an explanation is of no rule');
});

t.test('every finding in the samples of the suite is explained and refers to something', async (t) => {
  const seen = new Set<string>();
  for (const { accept, reject } of samples) {
    for (const make of [...Object.values(accept), ...Object.values(reject)]) {
      for (const { rule, refs } of inspect(fromBytes(make())).findings) {
        if (explainedAs(rule) === undefined) t.fail(`${rule} is not explained`);
        if (refs.length === 0) t.fail(`${rule} refers to nothing`);
        seen.add(rule);
      }
    }
  }
  t.ok(seen.size > 80, `${seen.size} rules`);
  const unseen = [...seen].filter((rule) => {
    const key = explainedAs(rule) ?? '';
    return ![rule, key, `*${whatOf(rule)}`].some((id) => rulesInSource.has(id)) && !COMPUTED.includes(rule);
  });
  t.same(unseen, [], 'the search of the source misses none');
});

t.test('rules that are named after keys of a configuration are explained', async (t) => {
  const config = { auto_map: { AutoModel: 'a.B' }, custom_pipelines: { a: 1 }, custom_pipeline: 'x' };
  const report = inspect(fromBytes(Buffer.from(JSON.stringify(config))));
  t.same(report.findings.map(({ rule }) => rule).sort(), COMPUTED);
});

t.test('a report has the references of the parser, and those of the table where the parser gives none', async (t) => {
  const cut = inspect(
    fromBytes(Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02R', 'latin1')),
  );
  t.ok(cut.findings.length > 0);
  for (const { rule, refs } of cut.findings) t.ok(refs.length > 0, rule);
});

t.test('what is no rule is not explained', async (t) => {
  for (const name of ['', 'zip', 'zip.', '.malformed', 'no.such', 'constructor.name', '__proto__', 'x.toString'])
    t.equal(explain(name), undefined, name);
  t.equal(explainedAs('notebook.process'), 'python.process');
  t.equal(explainedAs('torch-zip.duplicate-name'), '*.duplicate-name');
  t.equal(explainedAs('tar.truncated'), 'tar.truncated');
});

t.test('docs/findings.md is what the table says', async (t) => {
  t.equal(textOf('docs/findings.md'), findingsPage(), 'node .ci/findings-doc.mjs writes it');
});
