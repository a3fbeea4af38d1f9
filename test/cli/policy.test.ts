import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { dropRowsPolicy } from '../support/drop-rows.ts';

const run = async (args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await policy.run(args, { stdin: Readable.from([input]), stdout, stderr });
  stdout.end();
  stderr.end();
  return { code, out: await text(stdout), err: await text(stderr) };
};

const shipped = join(import.meta.dirname, '../../policies/default.yaml');

t.test('check accepts the shipped policies and names what is wrong with others', async (t) => {
  for (const name of ['default', 'strict', 'research']) {
    t.match(await run(['check', join(import.meta.dirname, `../../policies/${name}.yaml`)]), {
      code: 0,
      out: /: valid, digest [0-9a-f]{64}\n$/,
    });
  }
  const directory = t.testdir({ 'a.yaml': 'apiVersion: weighbridge/v1\nkind: Policy\nmetadate: {}\n' });
  const wrong = await run(['check', directory]);
  t.equal(wrong.code, 1);
  t.match(wrong.out, /^a\.yaml:3:1: unknown key "metadate"$/m);
  const json = JSON.parse((await run(['check', '--json', directory])).out);
  t.match(json, { valid: false, problems: [{ path: 'a.yaml', severity: 'error' }] });
  await t.rejects(run(['check', join(directory, 'missing')]), { code: 'POLICY_INVALID' });
});

t.test('explain decides on facts from a file or standard input and shows why', async (t) => {
  const facts = {
    artefact: { path: 'pytorch_model.bin', format: 'pickle', content: 'active' },
    coverage: { state: 'complete' },
    findings: [
      {
        rule: 'pickle.exec',
        severity: 'critical',
        message: 'calls os.system',
        where: { path: ['data.pkl'], offset: 7 },
      },
    ],
  };
  const denied = await run(['explain', '--policies', shipped, '--facts', '-'], JSON.stringify(facts));
  t.equal(denied.code, 1);
  t.match(denied.out, /^deny {2}default\/dangerous\n/);
  t.match(
    denied.out,
    /matched {2}default\/dangerous {2}\(deny\)\n {2}true .*\[default\.yaml:\d+:11\]\n +finding 0: pickle\.exec \(critical\) at data\.pkl > byte 7: calls os\.system/,
  );
  const file = join(
    t.testdir({
      'f.json': '{"artefact":{"path":"a","format":"gguf","content":"inert"},"coverage":{"state":"complete"}}',
    }),
    'f.json',
  );
  const allowed = await run(['explain', '--json', '--policies', shipped, '--facts', file]);
  t.equal(allowed.code, 0);
  t.match(JSON.parse(allowed.out), { decision: { action: 'allow', rule: 'default/inert' } });
});

t.test('explain tells what becomes of flagged rows', async (t) => {
  const folder = t.testdir({ 'p.yaml': dropRowsPolicy() });
  const facts = {
    artefact: { path: 'train.jsonl', format: 'jsonl', content: 'inert' },
    coverage: { state: 'complete' },
    dataset: { rows: 9, flagged: 1, rules: [{ rule: 'text.injection', rows: 1 }], droppable: true },
  };
  const { code, out } = await run(['explain', '--policies', folder, '--facts', '-'], JSON.stringify(facts));
  t.equal(code, 0);
  t.match(out, /^convert {2}default\/flagged-rows\n.*\n {2}flagged rows: drop\n {2}notice: 1 of 9 rows were dropped/);
});

const rules = `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - { id: no, when: artefact.path == "a", action: deny, message: never }
  - { id: yes, when: artefact.path == "b", action: allow, message: fine }
`;
const casesOf = (lines: string): string => `apiVersion: weighbridge/v1\nkind: PolicyTest\ncases:\n${lines}`;
const isNo = '  - { name: a is refused, facts: { artefact: { path: a } }, expect: deny p/no }\n';
const isWrong = '  - { name: "<b> & c", facts: { artefact: { path: b } }, expect: deny p/yes }\n';

t.test('check warns of idle rules and of waivers, and a strict check fails on that', async (t) => {
  const waiver = (id: string, expires: string): string =>
    `---\napiVersion: weighbridge/v1\nkind: Waiver\nmetadata: { id: ${id} }\nrules: [p/no]\nmatch: { sha256: ${'a'.repeat(64)} }\nreason: r\nowner: o\napprovedBy: [a]\nexpires: ${expires}\n`;
  const more = '  - { id: idle, when: artefact.path == "a" && convertible, action: quarantine, message: m }\n';
  const folder = t.testdir({ 'p.yaml': `${rules}${more}${waiver('w', '2020-01-31')}` });
  const loose = await run(['check', folder]);
  t.equal(loose.code, 0);
  t.match(
    loose.out,
    /^p\.yaml:7:23: warning: p\/idle never decides: whatever it matches is matched by p\/no \(deny\)/m,
  );
  t.match(loose.out, /^p\.yaml:17:10: warning: waiver w has expired and is ignored$/m);
  t.equal((await run(['check', '--strict', folder])).code, 1);
  const twice = t.testdir({ 'p.yaml': `${rules}${waiver('w', '2099-01-31')}${waiver('w', '2099-01-31')}` });
  t.match(await run(['check', twice]), { code: 1, out: /^p\.yaml:20:17: the waiver id w is used twice$/m });
});

t.test('test decides the cases beside a set, and says what fails and what is not covered', async (t) => {
  const folder = t.testdir({
    'p.yaml': rules,
    'q.yaml': rules,
    tests: { 'p.yaml': casesOf(isNo), 'r.yaml': casesOf(isWrong) },
  });
  const file = join(folder, 'p.yaml');
  const passed = await run(['test', file]);
  t.equal(passed.code, 0);
  t.equal(
    passed.out,
    `rule   action  matched  expected
p/no   deny    1        1
p/yes  allow   0        0         not covered

1 of 1 cases pass, 1 of 2 rules are covered
`,
  );
  t.equal((await run(['test', '--strict', file])).code, 1, 'a rule without a case fails a strict run');
  await t.rejects(run(['test', join(folder, 'q.yaml')]), {
    code: 'NOT_FOUND',
    message: /q\.yaml has no tests: expected .*tests.q\.yaml/,
  });
  const wrong = await run(['test', '--tests', join(folder, 'tests/r.yaml'), file]);
  t.equal(wrong.code, 1);
  t.match(wrong.out, /^FAILED {2}r\.yaml:4:5 {2}<b> & c\n {8}decision: expected deny p\/yes, got allow p\/yes\n/);
  const all = await run(['test', '--format', 'json', '--tests', join(folder, 'tests'), file]);
  t.equal(all.code, 1);
  t.match(JSON.parse(all.out), {
    policySet: /^[0-9a-f]{64}$/,
    cases: [
      { path: 'p.yaml', passed: true },
      { path: 'r.yaml', passed: false, decision: { action: 'allow' } },
    ],
    rules: [
      { rule: 'p/no', covered: true },
      { rule: 'p/yes', covered: false },
    ],
  });
});

t.test('the tests of a directory are those in its folder tests', async (t) => {
  const folder = t.testdir({ 'p.yaml': rules, tests: { 'a.yaml': casesOf(isNo), 'b.yml': casesOf(isNo) } });
  t.match(await run(['test', folder]), { code: 0, out: /2 of 2 cases pass/ });
  await t.rejects(run(['test', t.testdir({ 'p.yaml': rules })]), { code: 'NOT_FOUND' });
  const broken = t.testdir({ 'p.yaml': rules, tests: { 'a.yaml': casesOf('  - { name: a, expect: 3 }\n') } });
  await t.rejects(run(['test', broken]), { code: 'POLICY_INVALID', message: /^tests\/a\.yaml:4:\d+: / });
  await t.rejects(run(['test', '--format', 'xml', folder]), { message: /--format is one of/ });
});

t.test('JUnit output is escaped, with one suite for a file and one for rules without a case', async (t) => {
  const folder = t.testdir({ 'p.yaml': rules, tests: { 'p.yaml': casesOf(isNo + isWrong) } });
  const { code, out } = await run(['test', '--strict', '--format', 'junit', folder]);
  t.equal(code, 1);
  t.match(out, /<testsuite name="tests\/p\.yaml" tests="2" failures="1">/);
  t.match(out, /<testcase name="a is refused" classname="tests\/p\.yaml"\/>/);
  t.match(
    out,
    /<testcase name="&lt;b&gt; &amp; c" classname="tests\/p\.yaml">\n +<failure message="decision: expected deny p\/yes, got allow p\/yes">/,
  );
  t.match(out, /<testsuite name="rule coverage" tests="1" failures="1">\n +<testcase name="p\/yes"/);
});

t.test('wrong use and wrong facts are explained', async (t) => {
  t.match(await run([]), { code: 2, err: /usage: weighbridge policy/ });
  t.match(await run(['toString']), { code: 2, err: /usage: weighbridge policy/ });
  await t.rejects(run(['explain']), { code: 'REQUEST_INVALID', message: /expected --facts or one decision/ });
  await t.rejects(run(['explain', '--policies', shipped, '--facts', '-'], '{"artefact":{"pth":1}}'), {
    code: 'REQUEST_INVALID',
    message: /artefact/,
  });
  await t.rejects(run(['explain', '--policies', shipped, '--facts', '-'], 'no'), { message: /facts are not JSON/ });
});
