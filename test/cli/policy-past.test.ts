import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { Entry } from '../../src/audit/types.ts';
import { policy } from '../../src/cli/policy.ts';
import { factsDigest } from '../../src/gateway/facts.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import type { Facts, PolicySet } from '../../src/policy/types.ts';
import { createSqliteRecords } from '../../src/store/records-sqlite.ts';
import { openLog } from '../audit/support.ts';
import { type Ran, runCommand } from '../support/command-io.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

const text = (rules: string): string => `apiVersion: weighbridge/v1
kind: PolicySet
version: "1"
defaultAction: allow
---
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
${rules}`;
const HIGH = '  - { id: high, when: "findings.exists(f, f.severity >= high)", action: deny, message: dangerous }\n';
const NOTICE =
  '  - { id: told, when: artefact.content == "inert", action: allow, message: fine, obligations: { notice: look } }\n';
const MEDIUM =
  '  - { id: medium, when: "findings.exists(f, f.severity >= medium)", action: quarantine, message: odd }\n';

const home = t.testdir({
  'new.yaml': text(HIGH + MEDIUM),
  'told.yaml': text(HIGH + NOTICE),
  'renamed.yaml': text(HIGH.replace('id: high', 'id: severe')),
});
const data = join(home, 'data');
// Left open by this test: commands read what a running gateway writes.
const log = await openLog(data);
const records = await createSqliteRecords({ path: join(data, 'records.sqlite') });
t.teardown(async () => {
  await log.close();
  await records.close();
});

const old = loadPolicies({ 'old.yaml': text(HIGH) });
await records.put('policySet', old.digest, { files: old.files, at: 0 }, true);

let requests = 0;
const enter = async (facts: Facts, more: Partial<Entry> = {}, kept = true, set: PolicySet = old): Promise<string> => {
  const digest = factsDigest(facts);
  if (kept) await records.put('facts', digest, JSON.parse(JSON.stringify(facts)), true);
  const { action, rule, reason } = set.decide(facts, Date.now());
  const { ecosystem, repo, commit, path, sha256 } = facts.artefact;
  requests += 1;
  const request = { id: `request-${requests}`, method: 'GET', route: '/hf' };
  await log.append({
    kind: 'artefact.decision',
    request,
    client: facts.client,
    artefact: { ecosystem, repo, commit, path, sha256 },
    decision: { action, rule, reason },
    evidence: { policySet: set.digest, ruleset: 'r1', facts: digest },
    ...more,
  });
  return request.id;
};

const odd = (path: string, team: string, more: Partial<Facts> = {}): Facts =>
  factsWith({
    artefact: { path, sha256: 'b'.repeat(64) },
    findings: [findingOf('medium')],
    requester: { id: 'p', team },
    ...more,
  });

const bad = await enter(factsWith({ artefact: { path: 'bad.bin' }, findings: [findingOf('critical')] }));
await enter(factsWith());
for (let index = 0; index < 5; index += 1) await enter(odd(`odd-${index}.json`, index < 3 ? 'red' : 'blue'));
await enter(odd('curl.json', '', { client: { name: 'curl', version: '8' } }));
await enter(odd('lost.json', 'red'), {}, false);
// A download that began with what was known by Range, and ended with everything.
await enter(factsWith({ artefact: { path: 'sealed.gguf' } }));
const final = odd('sealed.gguf', 'red');
await enter(factsWith({ artefact: { path: 'late.gguf' } }), {
  request: { id: 'late', method: 'GET', route: '/hf' },
  decision: { action: 'allow', rule: 'default', reason: '', provisional: true },
});
await enter(final, {
  kind: 'artefact.outcome',
  request: { id: 'late', method: 'GET', route: '/hf' },
  artefact: {
    ecosystem: 'huggingface',
    repo: 'models/acme/bert',
    commit: 'c'.repeat(40),
    path: 'late.gguf',
    sha256: 'b'.repeat(64),
  },
});
await log.append({ kind: 'node.start', detail: {} });

const run = (...args: string[]): Promise<Ran> => runCommand(policy.run, args);
const explain = (...args: string[]): Promise<Ran> => run('explain', '--data', data, ...args);
const diff = (...args: string[]): Promise<Ran> => run('diff', '--data', data, ...args);

t.test('a past decision is explained with the facts and the policies of then, however it is named', async (t) => {
  for (const name of [
    '0',
    bad,
    'models/acme/bert/bad.bin',
    'huggingface:models/acme/bert/bad.bin',
    'models/acme/bert@ccccccc/bad.bin',
    `huggingface:models/acme/bert@${'c'.repeat(40)}/bad.bin`,
  ]) {
    const { code, stdout } = await explain(name);
    t.equal(code, 1, name);
    t.match(
      stdout,
      /^entry 0 {2}\S+ {2}artefact\.decision {2}huggingface:models\/acme\/bert@c{40}\/bad\.bin\n {2}entered: deny {2}p\/high\n/,
    );
    t.match(
      stdout,
      new RegExp(`  policies in force then: ${old.digest}\n.*\n  the same decision comes of them:\n\ndeny  p/high\n`),
    );
    t.match(
      stdout,
      /matched {2}p\/high {2}\(deny\)\n {2}true .*\[old\.yaml:\d+:\d+\]\n +finding 0: pickle\.global-unknown \(critical\) at archive\/data\.pkl > byte 34/,
    );
  }
  const byDigest = JSON.parse((await explain('--json', 'b'.repeat(64))).stdout);
  t.match(byDigest, {
    entered: { request: 'late', kind: 'artefact.outcome' },
    decision: { action: 'allow' },
    policySet: old.digest,
  });
});

t.test('it can be asked what other policies would have said', async (t) => {
  const { code, stdout } = await explain('--policies', join(home, 'new.yaml'), 'models/acme/bert/odd-1.json');
  t.equal(code, 1);
  t.match(
    stdout,
    /entered: allow {2}default\n {2}policies given, not those in force then: .*\n.*\n {2}they come to another decision:\n\nquarantine {2}p\/medium\n/,
  );
});

t.test('what is not in the log, or was not kept, is said', async (t) => {
  for (const name of [
    '99',
    'd'.repeat(64),
    'models/acme/bert@ddddddd/bad.bin',
    'models/acme/bert@ccc/bad.bin',
    'bad.bin',
  ]) {
    await t.rejects(explain(name), { code: 'NOT_FOUND', message: /the log has no decision about/ }, name);
  }
  await t.rejects(explain('models/acme/bert/lost.json'), {
    code: 'NOT_FOUND',
    message: /the facts of entry \d+ are not kept/,
  });
  await t.rejects(explain(), { code: 'REQUEST_INVALID' });
  await t.rejects(explain('0', '--facts', '-'), { code: 'REQUEST_INVALID' });
  await t.rejects(run('explain', '--data', join(home, 'nowhere'), '0'), { code: 'NOT_FOUND' });
});

t.test('a difference says what would have changed, for whom, with examples', async (t) => {
  const { code, stdout } = await diff(old.digest, join(home, 'new.yaml'));
  t.equal(code, 1);
  const [head, ...rest] = stdout.split('\n');
  t.match(head, /^10 requests from \S+Z to \S+Z: 7 would change, 3 would not$/);
  t.match(rest.slice(0, 4), [
    '1 could not be decided again: facts not kept',
    '',
    'allow -> quarantine  7 requests  (default -> p/medium)',
    '  teams        red 4, blue 2, (none) 1',
  ]);
  t.match(rest[4], '  clients      huggingface_hub 6, curl 1');
  t.equal(rest.filter((line) => line.startsWith('  e.g.')).length, 3);
  t.match(rest[7], /e\.g\. +entry 11 .*huggingface:models\/acme\/bert@c{40}\/late\.gguf {2}request late$/);
  const json = JSON.parse((await diff('--json', '--examples', '1', 'logged', join(home, 'new.yaml'))).stdout);
  t.match(json, {
    requests: 10,
    changed: 7,
    skipped: { 'facts not kept': 1 },
    changes: [{ requests: 7, examples: [{ request: 'late' }] }],
  });
  t.equal(json.changes[0].examples.length, 1);
});

t.test('another notice is a change, another name of a rule is none', async (t) => {
  const told = await diff(old.digest, join(home, 'told.yaml'));
  t.match(told.stdout, /^10 requests .*: 9 would change/);
  t.match(told.stdout, /allow -> allow {2}9 requests .*\n {2}obligations {2}none -> notice: look\n/);
  const renamed = await diff('logged', join(home, 'renamed.yaml'));
  t.equal(renamed.code, 0);
  t.match(renamed.stdout, /^10 requests .*: 0 would change, 10 would not\n1 of these by another rule\n/);
  t.match(await diff('--since', '2999-01-01', old.digest, join(home, 'new.yaml')), {
    code: 0,
    stdout: /^0 requests: 0 would change/,
  });
});

t.test('wrong use of diff is explained', async (t) => {
  await t.rejects(diff(old.digest), { code: 'REQUEST_INVALID' });
  await t.rejects(diff('e'.repeat(64), old.digest), { code: 'NOT_FOUND', message: /no policy set e+ is kept/ });
  await t.rejects(diff('--examples', '101', old.digest, old.digest), { code: 'REQUEST_INVALID' });
  await t.rejects(diff('--since', 'soon', old.digest, old.digest), { code: 'REQUEST_INVALID' });
});

t.test('facts and policies that are not those that were entered are not believed', async (t) => {
  const digest = factsDigest(factsWith());
  const database = new DatabaseSync(join(data, 'records.sqlite'), { timeout: 5000 });
  database
    .prepare("UPDATE record SET value = replace(value, 'safetensors', 'gguf') WHERE space = 'facts' AND key = ?")
    .run(digest);
  await t.rejects(explain('1'), {
    code: 'STORE_CORRUPT',
    message: /the facts kept as .* are not those that were entered/,
  });
  t.match(await diff(old.digest, join(home, 'new.yaml')), {
    stdout: /1 could not be decided again: facts not readable/,
  });
  database.prepare("UPDATE record SET value = replace(value, 'dangerous', 'harmless') WHERE space = 'policySet'").run();
  database.close();
  await t.rejects(explain('0'), { code: 'STORE_CORRUPT', message: /policy set/ });
});
