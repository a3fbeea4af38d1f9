import t from 'tap';
import { checkPolicies, loadPolicies, wordProblem } from '../../src/policy/load.ts';
import { OBSERVE_ALL } from '../../src/policy/observe.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

const RULES = `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - { id: high, when: "findings.exists(f, f.severity >= high)", action: deny, message: dangerous }
  - { id: tensors, when: convertible, action: convert, message: only tensors }
  - { id: inert, when: artefact.content == "inert" && !convertible, action: allow, message: fine, obligations: { notice: look, release: hold } }
`;
const observe = (teams?: string): string =>
  `---\napiVersion: weighbridge/v1\nkind: Observe\n${teams === undefined ? '' : `teams: ${teams}\n`}`;
const decide = (text: string, change: Parameters<typeof factsWith>[0]) =>
  loadPolicies({ 'p.yaml': text }).decide(factsWith(change), 0);
const bad = { findings: [findingOf('critical')] };
const ofTeam = (team: string, teamFrom: 'token' | 'path' | '' = 'token') => ({
  ...bad,
  requester: { id: 'p', team, environment: '', teamFrom },
});

t.test('nothing is refused and nothing converted, and what would have been is said', async (t) => {
  t.same(decide(RULES + observe(), bad), {
    action: 'allow',
    rule: 'observe',
    reason: decide(RULES + observe(), bad).reason,
    obligations: {},
    audited: { action: 'deny', rule: 'p/high' },
  });
  t.match(decide(RULES + observe(), bad).reason, /^not enforced, would be deny: model\.safetensors: dangerous/);
  t.match(decide(RULES + observe(), { convertible: true }), {
    action: 'allow',
    audited: { action: 'convert', rule: 'p/tensors' },
  });
  t.match(
    decide(RULES + observe(), { artefact: { content: 'unknown' } }),
    { action: 'allow', rule: 'observe', audited: { action: 'deny', rule: 'default' } },
    'the default action too',
  );
  const allowed = decide(RULES, {});
  t.same(decide(RULES + observe(), {}), allowed, 'what is allowed is as it was');
  t.match(allowed, { rule: 'p/inert', obligations: { notice: 'look', release: 'hold' } });
});

t.test('teams that a token proves can be observed, and nobody else', async (t) => {
  const text = RULES + observe('[red, "trial-*"]');
  t.match(decide(text, ofTeam('red')), { action: 'allow', rule: 'observe' });
  t.match(decide(text, ofTeam('trial-7')), { action: 'allow', rule: 'observe' });
  for (const other of [ofTeam('blue'), ofTeam(''), ofTeam('red', 'path'), ofTeam('reds')]) {
    t.match(decide(text, other), { action: 'deny', rule: 'p/high' }, JSON.stringify(other.requester));
  }
  t.match(decide(RULES + observe('["**"]'), ofTeam('', '')), { action: 'deny' }, 'who has no team is in none');
  t.match(decide(text + observe('[blue]'), ofTeam('blue')), { action: 'allow' }, 'documents add up');
});

t.test('a policy alone can be observed', async (t) => {
  for (const mode of ['observe', 'audit']) {
    const text = RULES.replace('rules:', `mode: ${mode}\nrules:`).replace('kind: Policy\n', 'kind: Policy\n');
    const set = `apiVersion: weighbridge/v1\nkind: PolicySet\nversion: "1"\ndefaultAction: allow\n---\n${text}`;
    t.match(decide(set, bad), { action: 'allow', rule: 'default', audited: { action: 'deny', rule: 'p/high' } });
  }
});

t.test('the digest of a set says that it is observed', async (t) => {
  const files = { 'p.yaml': RULES };
  const observed = loadPolicies({ ...files, [OBSERVE_ALL.name]: OBSERVE_ALL.text });
  t.not(observed.digest, loadPolicies(files).digest);
  t.equal(observed.decide(factsWith(bad), 0).rule, 'observe');
});

t.test('wrong documents do not load', async (t) => {
  const { set, problems } = checkPolicies({ 'p.yaml': RULES + observe('[]') });
  t.equal(set, undefined);
  t.match(problems.map(wordProblem), [/^p\.yaml:11:8: /]);
  t.equal(checkPolicies({ 'p.yaml': `${RULES}${observe()}mode: all\n` }).set, undefined);
});
