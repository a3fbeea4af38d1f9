import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { isFault } from '../../src/errors.ts';
import { checkPolicies, loadPolicies, wordProblem } from '../../src/policy/load.ts';
import { policyJsonSchema } from '../../src/policy/schema.ts';
import { factsWith } from '../support/policy-facts.ts';

const policy = (rules: string, more = ''): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
${more}rules:
${rules}`;

const rule = (when: string, more = ''): string => `  - id: r
    when: ${when}
    action: deny
    message: no
${more}`;

const problemsOf = (text: string): string[] => checkPolicies({ 'p.yaml': text }).problems.map(wordProblem);

const refused = (t: Test, text: string, expected: RegExp): void => {
  const { set, problems } = checkPolicies({ 'p.yaml': text });
  t.equal(set, undefined, 'nothing is loaded');
  t.match(problems.map(wordProblem).join('\n'), expected);
};

t.test('a misspelt field is named with its file, line and column', async (t) => {
  refused(t, policy(rule('artefact.sise > 3')), /^p\.yaml:6:20: No such key: sise$/);
  const block = rule('>-\n      artefact.size > 3 &&\n      artefact.pith == "x"');
  refused(t, policy(block), /^p\.yaml:8:16: No such key: pith$/);
  refused(t, policy(rule(`'artefact.path == "it''s" || artefact.sise > 3'`)), /^p\.yaml:6:49: No such key: sise$/);
});

t.test('wrong types, unknown names and non-conditions do not load', async (t) => {
  refused(t, policy(rule('artefact.size > "3"')), /p\.yaml:6:11: no such overload/i);
  refused(t, policy(rule('artefakt.size > 3')), /p\.yaml:6:11: Unknown variable: artefakt/);
  refused(t, policy(rule('artefact.size')), /p\.yaml:6:11: expected a condition of type bool, found int/);
  refused(t, policy(rule('findings.exists(f, f.severity >= hihg)')), /p\.yaml:6:44: Unknown variable: hihg/);
  refused(t, policy(rule('artefact.size >')), /p\.yaml:6:26: Unexpected token: EOF/);
  refused(t, policy(rule('artefact.content == "tensor"')), /p\.yaml:6:31: artefact\.content is never "tensor"/);
  refused(t, policy(rule('coverage.state in ["complete", "ok"]')), /coverage\.state is never "ok"/);
});

t.test('expressions whose cost is not bounded do not load', async (t) => {
  refused(
    t,
    policy(rule(`artefact.path.matches('^(a+)+$')`)),
    /p\.yaml:6:\d+: matches\(\) can take for ever; use re2\(\)/,
  );
  refused(
    t,
    policy(rule('findings.exists(a, findings.exists(b, findings.exists(c, a.rule == b.rule && b.rule == c.rule)))')),
    /loops are nested deeper than 2/,
  );
  refused(t, policy(rule('(findings + findings).exists(f, f.severity > 1)')), /a loop runs over a list of the facts/);
  refused(t, policy(rule('artefact.path.split("").exists(c, c == "x")')), /split\(\) is not available/);
  refused(t, policy(rule(`cel.bind(x, artefact.path + artefact.path, x == "")`)), /bind\(\) is not available/);
  refused(t, policy(rule(`${'('.repeat(60)}convertible${')'.repeat(60)}`)), /p\.yaml:6:\d+: .*(depth|nest)/i);
  refused(t, policy(rule(Array(300).fill('convertible').join(' || '))), /p\.yaml:6:\d+/);
  refused(t, policy(rule('artefact.path.re2(artefact.repo)')), /the pattern of re2\(\) must be a literal/);
  refused(t, policy(rule(`artefact.path.re2('(')`)), /not an RE2 pattern/);
  const nested = `${'{not: '.repeat(12)}convertible${'}'.repeat(12)}`;
  refused(t, policy(rule(nested)), /conditions are nested deeper than 8/);
});

t.test('patterns take linear time on hostile text', async (t) => {
  const set = loadPolicies({
    'p.yaml': policy(rule(`artefact.path.re2('^(a+)+$') || artefact.path.glob('*a*a*a*a*a*a*a*a*b')`)),
  });
  const start = performance.now();
  const decision = set.decide(factsWith({ artefact: { path: `${'a'.repeat(5000)}!` } }), 0);
  t.equal(decision.rule, 'default');
  t.ok(performance.now() - start < 2000, 'well under the seconds that backtracking takes');
});

t.test('YAML that is more than plain data does not load', async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[index]}`).join(',')}]`)
    .join('\n')}\n`;
  refused(t, bomb, /p\.yaml:1:\d+: anchors are not allowed|aliases are not allowed/);
  refused(
    t,
    policy(rule('convertible')).replace('title: Test', 'title: !!js/function x'),
    /p\.yaml:3:\d+: Unresolved tag/,
  );
  refused(t, `${policy(rule('convertible'))}kind: Waiver\n`, /Map keys must be unique/);
  refused(t, '['.repeat(100_000), /p\.yaml:\d+:\d+: /);
  refused(t, '', /no policy found/);
  refused(t, 'x'.repeat(1_000_001), /longer than 1000000 characters/);
});

t.test('unknown keys and wrong values are named at their place', async (t) => {
  refused(t, policy(rule('convertible', '    actoin: deny\n')), /^p\.yaml:9:5: unknown key "actoin"$/);
  const waiver = 'apiVersion: weighbridge/v1\nkind: Waiver\nmetadata: { id: w }\nrules: [p/r]\nmatch: { repo: a/b }\n';
  refused(t, `${waiver}owner: x\nexpires: 2027-01-31\n`, /^p\.yaml:1:1: approvedBy is missing$/m);
  refused(t, policy(rule('convertible')).replace('deny', 'refuse'), /^p\.yaml:7:13: Invalid option/);
  refused(
    t,
    policy(rule('{all: [convertible], any: [convertible]}')),
    /p\.yaml:6:11: expected a CEL expression, or exactly one/,
  );
  refused(
    t,
    policy(rule('convertible')).replace('kind: Policy', 'kind: Polizy'),
    /p\.yaml:2:7: expected kind: PolicySet, Policy, Waiver or Observe/,
  );
  refused(t, policy(rule('convertible', '    onError: allow\n')), /p\.yaml:9:14: Invalid option/);
  refused(t, policy(rule('convertible') + rule('convertible')), /p\.yaml:9:9: the rule id r is used twice/);
});

t.test('every problem of every file is in the fault, and nothing is loaded', async (t) => {
  const files = {
    'a.yaml': policy(rule('artefact.a')),
    'b.yaml': `${policy(rule('artefact.b'))}---\nkind: PolicySet\n`,
  };
  try {
    loadPolicies(files);
    t.fail('loaded');
  } catch (error) {
    t.ok(isFault(error, 'POLICY_INVALID'));
    t.match(String(error), /a\.yaml:6:20: No such key: a/);
    t.match(String(error), /b\.yaml:6:20: No such key: b/);
    t.match(String(error), /b\.yaml:10:\d+: .*weighbridge\/v1/);
  }
  const twice = { 'a.yaml': policy(rule('convertible')), 'b.yaml': policy(rule('convertible')) };
  t.match(checkPolicies(twice).problems.map(wordProblem), [/b\.yaml:3:17: the policy id p is used twice/]);
});

t.test('vars are typed, and a wrong one is named', async (t) => {
  const vars = (text: string): string => `vars: { risky: '${text}' }\n`;
  const good = policy(rule('size(vars.risky) > 0'), vars('findings.filter(f, f.severity >= high)'));
  t.same(problemsOf(good), []);
  refused(t, policy(rule('size(vars.rsky) > 0'), vars('findings')), /p\.yaml:7:21: No such key: rsky/);
  refused(t, policy(rule('size(vars.risky) > 0'), vars('findinks')), /p\.yaml:4:17: Unknown variable: findinks/);
});

t.test('the digest of a set is that of its files and their names', async (t) => {
  const text = policy(rule('convertible'));
  const one = loadPolicies({ 'p.yaml': text }).digest;
  t.equal(loadPolicies({ 'p.yaml': text }).digest, one);
  t.not(loadPolicies({ 'q.yaml': text }).digest, one);
  t.not(loadPolicies({ 'p.yaml': `${text}\n` }).digest, one);
});

t.test('policies/schema.json is what the loader accepts', async (t) => {
  const written = JSON.parse(readFileSync(new URL('../../policies/schema.json', import.meta.url), 'utf8'));
  t.same(written, JSON.parse(JSON.stringify(policyJsonSchema())), 'run: node .ci/policy-schema.mjs');
});
