import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { printers } from '../../src/cli/scan/printers.ts';
import { failsOn } from '../../src/cli/scan/threshold.ts';
import type { Scanned } from '../../src/cli/scan/types.ts';
import { scan } from '../../src/cli/scan.ts';
import { complete, type Finding } from '../../src/formats/format.ts';
import { readXml } from '../../src/formats/xml/read.ts';
import { runCommand } from '../support/command-io.ts';
import { sarifFaults } from '../support/sarif-schema.ts';

process.env['WEIGHBRIDGE_SANDBOX_WORKERS'] = '1';

/** A pickle that would call os.system if anything loaded it; nothing here does. */
const ATTACK = Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.', 'latin1');
const HOSTILE = 'a<b>&"\u001b[31m|`x`]]>\n<!--\u202egnp.bin';

const POLICY = `
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: here, title: For this test }
rules:
  - { id: harm, when: 'artefact.content == "active" || findings.exists(f, f.severity >= high)', action: deny, message: it would run }
  - { id: inert, when: 'artefact.content == "inert" && coverage.state == "complete"', action: allow, message: it is inert }
  - { id: rest, when: 'artefact.content == "unknown"', action: quarantine, message: nobody knows }
`;

type Tap = typeof t;

const world = (t: Pick<Tap, 'testdir'>) => {
  const folder = t.testdir({ policies: { 'here.yaml': POLICY }, files: { deep: { er: {} } } });
  const at = (name: string): string => join(folder, 'files', name);
  writeFileSync(at('a.txt'), 'good day\n');
  writeFileSync(at('b.bin'), Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 89 + 7) & 0xff)));
  writeFileSync(at('deep/er/c.bin'), ATTACK);
  return { at, policies: ['--policies', join(folder, 'policies')] };
};

const finding = (severity: Finding['severity'], more: Partial<Finding> = {}): Finding => ({
  rule: 'pickle.global-dangerous',
  severity,
  message: 'The stream imports a dangerous name.',
  where: { path: ['archive/data.pkl'], offset: 3 },
  evidence: 'posix.system',
  refs: ['CWE-502'],
  ...more,
});
const scanned = (more: Partial<Scanned> = {}): Scanned => ({
  path: 'model.bin',
  sha256: 'ab'.repeat(32),
  size: 9,
  format: 'pickle',
  content: 'active',
  coverage: complete(9),
  action: 'deny',
  rule: 'here/harm',
  reason: 'it would run',
  findings: [finding('critical')],
  ms: 1.5,
  unreadable: false,
  ...more,
});
const printed = (format: string, files: readonly Scanned[], threshold = 'quarantine'): string => {
  const printer = printers[format]?.({ colour: false, fails: failsOn(threshold) });
  if (printer === undefined) throw new Error(`no format ${format}`);
  return printer.begin() + files.map((file) => printer.file(file)).join('') + printer.end();
};

t.test('a pattern means the files that it fits, in the order of names', async (t) => {
  const { at, policies } = world(t);
  const paths = async (pattern: string) => {
    const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, pattern]);
    const found = stdout.split('\n').filter((line) => line !== '');
    return [code, ...found.map((line) => JSON.parse(line).path)];
  };
  t.same(await paths(at('*.bin')), [1, at('b.bin')]);
  t.same(await paths(at('**/*.bin')), [1, at('b.bin'), at('deep/er/c.bin')]);
  t.same(await paths(at('{a,b}.*')), [1, at('a.txt'), at('b.bin')]);
  t.same(await paths(at('d*')), [1, at('deep/er/c.bin')], 'a folder that fits means the files below it');
  t.same(await paths(at('*.none')), [2, at('*.none')], 'a pattern that fits nothing is not a clean scan');
  writeFileSync(at('[x].txt'), 'good day\n');
  t.same(await paths(at('[x].txt')), [0, at('[x].txt')], 'a file of that name comes first');
});

t.test('--fail-on says what ends with exit code 1', async (t) => {
  const held = scanned({ action: 'quarantine', findings: [] });
  const converted = scanned({ action: 'convert', findings: [finding('low')] });
  const allowed = scanned({ action: 'allow', findings: [finding('medium')] });
  const table: readonly (readonly [threshold: string, held: boolean, converted: boolean, allowed: boolean])[] = [
    ['deny', false, false, false],
    ['quarantine', true, false, false],
    ['convert', true, true, false],
    ['critical', true, false, false],
    ['high', true, false, false],
    ['medium', true, false, true],
    ['low', true, true, true],
    ['info', true, true, true],
  ];
  for (const [threshold, ...expected] of table) {
    const fails = failsOn(threshold);
    t.same([held, converted, allowed].map(fails), expected, threshold);
    t.ok(fails(scanned({ findings: [] })), `${threshold}: what is denied always counts`);
  }
  const { at, policies } = world(t);
  const code = async (...args: readonly string[]): Promise<number> =>
    (await runCommand(scan.run, ['--json', ...policies, ...args])).code;
  t.equal(await code('--fail-on', 'deny', at('b.bin')), 0);
  t.equal(await code('--fail-on', 'quarantine', at('b.bin')), 1);
  t.equal(await code('--fail-on', 'deny', at('deep')), 1);
  t.equal(await code('--fail-on', 'deny', at('missing')), 2);
  t.match(await runCommand(scan.run, ['--fail-on', 'allow', at('b.bin')]), { code: 2, stdout: '', stderr: /^usage/ });
});

t.test('--explain says what a rule means, and of what is no rule which there are', async (t) => {
  const known = await runCommand(scan.run, ['--explain', 'pickle.global-dangerous']);
  t.match(known, { code: 0, stdout: /^pickle\.global-dangerous\n[\s\S]*What to do: [\s\S]*References: CWE-/ });
  const shared = await runCommand(scan.run, ['--explain', 'torch-zip.duplicate-name']);
  t.match(shared, { code: 0, stdout: /explained as \*\.duplicate-name/ });
  t.match(await runCommand(scan.run, ['--explain', 'pickle.nothing']), {
    code: 2,
    stdout: '',
    stderr: /pickle\.build/,
  });
  t.match(await runCommand(scan.run, ['--explain', '__proto__']), { code: 2, stdout: '' });
});

t.test('an unknown format, or two, is wrong use', async (t) => {
  const { at } = world(t);
  for (const args of [
    ['--format', 'xml'],
    ['--format', 'constructor'],
    ['--json', '--sarif'],
    ['--format', 'json', '--json'],
  ])
    t.match(
      await runCommand(scan.run, [...args, at('a.txt')]),
      { code: 2, stdout: '', stderr: /^usage/ },
      args.join(' '),
    );
});

t.test('--format junit is one suite that any XML reader takes, whatever files are called', async (t) => {
  const files = [
    scanned({ path: 'fine.txt', action: 'allow', findings: [] }),
    scanned({ path: HOSTILE, reason: 'it would run & <more>' }),
    scanned({ path: 'gone', findings: [], unreadable: true, reason: 'could not be read: ENOENT' }),
  ];
  const events = [...readXml(printed('junit', files), createBudget())];
  const opened = events.flatMap((event) => (event.kind === 'open' ? [event] : []));
  const suite = opened.find(({ name }) => name === 'testsuite');
  t.match(Object.fromEntries(suite?.attributes ?? []), { tests: '3', failures: '1', errors: '1', name: 'weighbridge' });
  const cases = opened.filter(({ name }) => name === 'testcase').map(({ attributes }) => attributes.get('name'));
  t.same(cases, ['fine.txt', 'a<b>&"\\u{1b}[31m|`x`]]>\\u{a}<!--\\u{202e}gnp.bin', 'gone']);
  t.match(opened.find(({ name }) => name === 'failure')?.attributes.get('message'), 'it would run & <more>');
  t.match(opened.find(({ name }) => name === 'error')?.attributes.get('message'), 'ENOENT');
  const said = events.flatMap((event) => (event.kind === 'text' ? [event.text] : [])).join('');
  t.match(said, /critical pickle\.global-dangerous at archive\/data\.pkl:3: [\s\S]*Do not load it/);
  t.equal([...readXml(printed('junit', files, 'deny'), createBudget())].length, events.length);
});

t.test('--format markdown is a table that file names and findings cannot leave', async (t) => {
  const text = printed('markdown', [scanned({ path: HOSTILE }), scanned({ path: 'b', action: 'allow', findings: [] })]);
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  t.equal(rows.length, 4);
  for (const row of rows) t.equal(row.split('|').length, 6, row);
  t.notMatch(text, /<b>|`x`|<!--|\u001b|\u202e/);
  t.match(text, /\*\*critical\*\* pickle\.global-dangerous|\*\*critical\*\* pickle.global/);
  t.match(text, 'Do not load it');
  t.match(text, '1 allowed, 0 convertible, 0 quarantined, 1 denied.');
});

t.test('--sarif is valid by the schema of SARIF 2.1.0, with what every rule means', async (t) => {
  const files = [
    scanned({ path: 'hf://org/model@abc/a b/x#1.bin' }),
    scanned({
      path: 'https://host/a%20b',
      action: 'quarantine',
      findings: [finding('low', { where: { path: [], offset: 7 } })],
    }),
    scanned({ path: `weird/${HOSTILE}`, findings: [finding('high', { rule: 'zip.duplicate-name' })] }),
    scanned({ path: '/abs/b', action: 'convert', findings: [] }),
    scanned({ path: 'rows.csv', findings: [finding('low', { where: { path: [], offset: 70, line: 12 } })] }),
    scanned({ path: 'hf://org/model@abc/half\ud800' }),
  ];
  const log = JSON.parse(printed('sarif', files));
  t.same(sarifFaults(log), []);
  t.same(sarifFaults(JSON.parse(printed('sarif', []))), [], 'nothing scanned');
  const [run] = log.runs;
  t.equal(log.runs.length, 1);
  const rules = new Map<string, { properties: { tags?: string[] } }>(
    run.tool.driver.rules.map((rule: { id: string }) => [rule.id, rule]),
  );
  t.equal(rules.size, run.tool.driver.rules.length, 'rule ids are unique');
  t.match(rules.get('pickle.global-dangerous'), {
    shortDescription: { text: /^The pickle uses/ },
    help: { text: /What to do: Do not load it/ },
    properties: { 'security-severity': '9.5', tags: ['security', 'CWE-78'] },
  });
  t.match(rules.get('zip.duplicate-name'), { shortDescription: { text: 'Two members have the same name.' } });
  for (const { ruleId, message } of run.results) {
    t.ok(rules.has(ruleId), ruleId);
    t.not(message.text, '');
  }
  const uris = run.results.map(
    (result: { locations: { physicalLocation: { artifactLocation: { uri: string } } }[] }) =>
      result.locations[0]?.physicalLocation.artifactLocation.uri,
  );
  const lined = run.results.find(
    (result: { locations: { physicalLocation: { region?: { startLine?: number } } }[] }) =>
      result.locations[0]?.physicalLocation.region?.startLine === 12,
  );
  t.match(lined, { properties: { offset: 70, line: 12 } }, 'a text has lines, which exclude bytes');
  t.match(uris, ['hf://org/model@abc/a%20b/x%231.bin', 'hf://org/model@abc/a%20b/x%231.bin', 'https://host/a%20b']);
});

t.test('the schema that logs are held against refuses what is no SARIF', async (t) => {
  const log = JSON.parse(printed('sarif', [scanned()]));
  const changed = (
    change: (run: Record<string, unknown> & { results: Record<string, unknown>[] }) => void,
  ): unknown => {
    const other = structuredClone(log);
    change(other.runs[0]);
    return other;
  };
  t.match(sarifFaults({ ...log, version: '2.0.0' }), [/\/version must be equal/]);
  t.match(sarifFaults(changed((run) => delete run['tool'])), [/required property 'tool'/]);
  t.match(sarifFaults(changed(({ results }) => Object.assign(results[0] ?? {}, { level: 'high' }))), [/level must be/]);
  t.match(sarifFaults(changed(({ results }) => Object.assign(results[0] ?? {}, { other: 1 }))), [/additional prop/]);
  const locations = [{ physicalLocation: { artifactLocation: { uri: 'a b' } } }];
  t.match(sarifFaults(changed(({ results }) => Object.assign(results[0] ?? {}, { locations }))), [/uri-reference/]);
});

/** A terminal that keeps what is written to it. */
const terminal = () => Object.assign(new PassThrough(), { isTTY: true });

t.test('colours and a bar are for terminals only', async (t) => {
  const { at, policies } = world(t);
  const io = { stdin: Readable.from(['']), stdout: terminal(), stderr: terminal() };
  const written = Promise.all([text(io.stdout), text(io.stderr)]);
  const code = await scan.run([...policies, at('')], io);
  io.stdout.end();
  io.stderr.end();
  const [out, err] = await written;
  t.equal(code, 1);
  t.match(out, /\u001b\[31mdeny +\u001b\[0m/);
  t.match(err, /\r\u001b\[K\[#+\.+\] 1 of 3 files/);
  t.ok(err.endsWith('\r\u001b[K'), 'the bar is taken away');
  const grey = {
    stdin: Readable.from(['']),
    stdout: Object.assign(terminal(), { hasColors: () => false }),
    stderr: terminal(),
  };
  const colourless = text(grey.stdout);
  await scan.run([...policies, at('')], grey);
  grey.stdout.end();
  t.notMatch(await colourless, /\u001b/, 'nor for one without them');
  const plain = await runCommand(scan.run, [...policies, at('')]);
  t.notMatch(plain.stdout, /\u001b/);
  t.equal(plain.stderr, '');
});
