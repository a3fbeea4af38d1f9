import t from 'tap';
import { checkPolicies, loadPolicies, wordProblem } from '../../src/policy/load.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const DIGEST = 'a'.repeat(64);

const set = (id: string, rules: readonly string[], head = ''): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: ${id}, title: Test, owner: sec@corp.example }
${head}rules:
${rules.map((rule) => `  - { message: because, ${rule} }`).join('\n')}
`;

const byDefault = (action: string): string =>
  `apiVersion: weighbridge/v1\nkind: PolicySet\nversion: "1"\ndefaultAction: ${action}\n`;

const waiver = (
  rules: string,
  match = `sha256: ${DIGEST}`,
  expires = '2026-12-01',
): string => `apiVersion: weighbridge/v1
kind: Waiver
metadata: { id: w-1 }
rules: [${rules}]
match: { ${match} }
reason: reviewed
owner: jane@corp.example
approvedBy: [joe@corp.example]
expires: ${expires}
`;

const load = (...documents: readonly string[]): ReturnType<typeof loadPolicies> =>
  loadPolicies({ 'p.yaml': documents.join('---\n') });

t.test('the strongest action of all rules wins, whatever their order', async (t) => {
  const rules = ['allow', 'deny', 'convert', 'quarantine'].map(
    (action) => `id: ${action}, when: 'true', action: ${action}`,
  );
  const facts = factsWith({ convertible: true });
  t.match(load(set('p', rules)).decide(facts, NOW), { action: 'deny', rule: 'p/deny' });
  t.match(load(set('p', rules.toReversed())).decide(facts, NOW), { action: 'deny', rule: 'p/deny' });
  t.match(load(set('p', rules.toSpliced(1, 1))).decide(facts, NOW), { action: 'quarantine' });
  t.match(load(set('p', [rules[0] ?? '', rules[2] ?? ''])).decide(facts, NOW), { action: 'convert' });
  const allowing = set('friend', [`id: ours, when: artefact.namespace == "acme", action: allow`]);
  const denying = set('guard', [`id: bad, when: 'findings.exists(f, f.severity >= high)', action: deny`]);
  t.match(load(allowing, denying).decide(factsWith({ findings: [findingOf('high')] }), NOW), {
    action: 'deny',
    rule: 'guard/bad',
  });
});

t.test(
  'content that no rule speaks of gets the default action, which is deny unless a set says otherwise',
  async (t) => {
    const never = set('p', [`id: never, when: 'false', action: deny`]);
    t.match(load(never).decide(factsWith(), NOW), { action: 'deny', rule: 'default' });
    t.match(load(byDefault('quarantine'), never).decide(factsWith(), NOW), { action: 'quarantine', rule: 'default' });
    t.match(load(never).decide(factsWith({ stage: 'request' }), NOW), { action: 'allow', rule: 'default' });
    const twice = checkPolicies({ 'p.yaml': [byDefault('deny'), byDefault('allow')].join('---\n') });
    t.match(twice.problems.map(wordProblem), [/p\.yaml:7:7: a second PolicySet/]);
  },
);

t.test('a condition that cannot be evaluated denies, or does what onError says', async (t) => {
  const broken = `when: 'findings[3].severity > 0'`;
  const denied = load(set('p', [`id: r, ${broken}, action: allow`])).decide(factsWith(), NOW);
  t.match(denied, { action: 'deny', rule: 'p/r', reason: /could not be evaluated.*index/ });
  const held = load(set('p', [`id: r, ${broken}, action: allow, onError: quarantine`])).decide(factsWith(), NOW);
  t.match(held, { action: 'quarantine', rule: 'p/r' });
  const vars = set('p', [`id: r, when: 'vars.x > 0', action: allow`], `vars: { x: 'findings[3].severity' }\n`);
  t.match(load(vars).decide(factsWith(), NOW), { action: 'deny', rule: 'p/r' });
  t.match(load(set('p', [`id: r, ${broken}, action: allow`])).explain(factsWith(), NOW), [
    { rule: 'p/r', matched: true, action: 'deny', conditions: [{ value: 'error', error: /index/ }] },
  ]);
});

t.test('convert without a plan is not a way around inspection', async (t) => {
  const convert = load(set('p', [`id: c, when: 'true', action: convert`, `id: a, when: 'true', action: allow`]));
  t.match(convert.decide(factsWith({ convertible: true }), NOW), { action: 'convert' });
  t.match(convert.decide(factsWith({ convertible: false }), NOW), {
    action: 'quarantine',
    rule: 'p/c',
    reason: /cannot be converted/,
  });
});

t.test('a policy looks only where its match says, and at content unless it asks to be early', async (t) => {
  const scoped = (match: string): ReturnType<typeof load> =>
    load(byDefault('allow'), set('p', [`id: r, when: 'true', action: deny`], `match: { ${match} }\n`));
  const action = (match: string, change: Parameters<typeof factsWith>[0] = {}): string =>
    scoped(match).decide(factsWith(change), NOW).action;
  t.equal(action('repos: ["models/acme/*"]'), 'deny');
  t.equal(action('repos: ["models/*"]'), 'allow', 'a star does not cross a slash');
  t.equal(action('repos: ["**"], exclude: ["models/acme/**"]'), 'allow');
  t.equal(action('ecosystems: [pypi]'), 'allow');
  t.equal(action('clients: ["hugging*"]'), 'deny');
  t.equal(action('repos: ["**"]', { stage: 'request' }), 'allow');
  t.equal(action('stages: [request]', { stage: 'request' }), 'deny');
  t.equal(action('stages: [request]'), 'deny', 'what was known early is still known');
});

t.test('a policy in audit mode decides nothing and says what it would have done', async (t) => {
  const rules = [`id: r, when: 'true', action: deny`];
  const audit = load(byDefault('allow'), set('p', rules, 'mode: audit\n'));
  t.match(audit.decide(factsWith(), NOW), {
    action: 'allow',
    rule: 'default',
    audited: { action: 'deny', rule: 'p/r' },
  });
  const off = load(byDefault('allow'), set('p', rules, 'mode: off\n'));
  t.same(off.decide(factsWith(), NOW).audited, undefined);
  const both = load(set('e', rules), set('p', rules, 'mode: audit\n'));
  t.same(both.decide(factsWith(), NOW).audited, undefined, 'nothing to say where nothing would differ');
});

t.test('a waiver lifts only the rules it names, only for its digest, only until it expires', async (t) => {
  const rules = set('p', [
    `id: a, when: 'findings.exists(f, f.severity >= high)', action: deny`,
    `id: b, when: 'coverage.state != "complete"', action: quarantine`,
  ]);
  const bad = factsWith({ findings: [findingOf('high')] });
  const released = load(rules, waiver('p/a')).decide(bad, NOW);
  t.match(released, { action: 'allow', rule: 'p/a', waiver: 'w-1', reason: /released by waiver w-1/ });
  const both = factsWith({ findings: [findingOf('high')], coverage: { state: 'partial' } });
  t.match(load(rules, waiver('p/a')).decide(both, NOW), { action: 'quarantine', rule: 'p/b', waiver: undefined });
  t.match(load(rules, waiver('p/b')).decide(both, NOW), { action: 'deny', rule: 'p/a' });
  t.match(load(rules, waiver('p/a, p/b')).decide(both, NOW), { action: 'allow', waiver: 'w-1' });
  const other = factsWith({ findings: [findingOf('high')], artefact: { sha256: 'b'.repeat(64) } });
  t.match(load(rules, waiver('p/a')).decide(other, NOW), { action: 'deny' });
  const unknown = factsWith({ findings: [findingOf('high')], artefact: { sha256: '' } });
  t.match(load(rules, waiver('p/a')).decide(unknown, NOW), { action: 'deny' });

  const live = load(rules, waiver('p/a'));
  t.match(live.decide(bad, Date.parse('2026-12-01T23:59:59Z')), { action: 'allow' }, 'to the end of its last day');
  t.match(live.decide(bad, Date.parse('2026-12-02T00:00:00Z')), { action: 'deny', waiver: undefined });
});

t.test('a waiver can be bound to one artefact at one commit, and can lift the default', async (t) => {
  const rules = set('p', [`id: a, when: 'false', action: deny`]);
  const place = (commit: string): string =>
    `artefact: { ecosystem: huggingface, repo: models/acme/bert, commit: ${commit}, path: model.safetensors }`;
  t.match(load(rules, waiver('default', place('c'.repeat(40)))).decide(factsWith(), NOW), {
    action: 'allow',
    waiver: 'w-1',
  });
  t.match(load(rules, waiver('default', place('d'.repeat(40)))).decide(factsWith(), NOW), { action: 'deny' });
});

t.test('waivers that ran out, will soon or name nothing are warned of; vague ones do not load', async (t) => {
  const rules = set('p', [`id: a, when: 'false', action: deny`]);
  const warnings = (text: string): string[] =>
    checkPolicies({ 'p.yaml': [rules, text].join('---\n') }, NOW).problems.map(wordProblem);
  t.match(warnings(waiver('p/a', undefined, '2026-10-01')), [/p\.yaml:15:10: warning: waiver w-1 has expired/]);
  t.match(warnings(waiver('p/a', undefined, '2026-11-05')), [/warning: waiver w-1 expires in 5 days/]);
  t.match(warnings(waiver('p/z')), [/warning: there is no rule p\/z/]);
  t.match(warnings(waiver('p/a', undefined, 'never')), [/p\.yaml:15:10: expected a date/]);
  t.match(warnings(waiver('p/a', 'artefact: { repo: models/acme/bert }')), [/expected sha256: .*or artefact/]);
  t.match(warnings(waiver('')), [/p\.yaml:10:8: Too small/]);
});

t.test('the reason is one ASCII line of at most 300 characters with rule, place and advice', async (t) => {
  const rules = set('p', [
    `id: a, when: 'findings.exists(f, f.severity >= high)', action: deny, remediation: Use safetensors`,
  ]);
  const { reason } = load(rules).decide(factsWith({ findings: [findingOf('low', 'x.y', 1), findingOf('high')] }), NOW);
  t.equal(
    reason,
    'model.safetensors: because: imports os.system, archive/data.pkl byte 34 (rule p/a). Use safetensors. Ask sec@corp.example',
  );
  const path = `${'ü\r\nX-Evil: 1'.repeat(100)}`;
  const long = load(rules).decide(factsWith({ findings: [findingOf('high')], artefact: { path } }), NOW).reason;
  t.match(long, /^[ -~]{1,300}$/);
  t.match(long, /imports os\.system/, 'a long path leaves room for what is wrong');
  t.match(long, /\(rule p\/a\)\. Use safetensors\. Ask sec@corp\.example$/);
});

t.test('a crowd of findings does not hide the worst, and is a finding itself', async (t) => {
  const crowd = [...Array.from({ length: 5000 }, (_, index) => findingOf('info', 'a.b', index)), findingOf('critical')];
  const worst = load(set('p', [`id: a, when: 'findings.exists(f, f.severity == critical)', action: deny`]));
  t.match(worst.decide(factsWith({ findings: crowd }), NOW), { action: 'deny' });
  t.same(worst.explain(factsWith({ findings: crowd }), NOW)[0]?.conditions[0]?.witnesses, [5000]);
  const cut = load(set('p', [`id: a, when: 'findings.exists(f, f.rule == "policy.truncated")', action: quarantine`]));
  t.match(cut.decide(factsWith({ findings: crowd }), NOW), { action: 'quarantine' });
  const nested = load(
    byDefault('allow'),
    set('p', [
      `id: a, when: 'findings.exists(a, findings.exists(b, a.rule != b.rule && b.rule == "z"))', action: deny`,
    ]),
  );
  const start = performance.now();
  t.match(nested.decide(factsWith({ findings: crowd }), NOW), { action: 'allow' });
  t.ok(performance.now() - start < 5000, 'a loop in a loop over the most findings ends soon');
});

t.test('explain names every condition, where it stands and the findings that made it true', async (t) => {
  const rules = `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - id: a
    action: deny
    message: because
    when:
      all:
        - artefact.format == "pickle"
        - findings.exists(f, f.severity >= high && f.rule.startsWith("pickle."))
        - not: convertible
`;
  const findings = [findingOf('low'), findingOf('high'), findingOf('high', 'zip.x'), findingOf('critical')];
  t.same(load(rules).explain(factsWith({ findings }), NOW), [
    {
      rule: 'p/a',
      action: 'deny',
      matched: false,
      conditions: [
        { text: 'artefact.format == "pickle"', at: 'p.yaml:10:11', value: false, witnesses: [] },
        {
          text: 'findings.exists(f, f.severity >= high && f.rule.startsWith("pickle."))',
          at: 'p.yaml:11:11',
          value: true,
          witnesses: [3, 1],
        },
        { text: 'convertible', at: 'p.yaml:12:16', value: false, witnesses: [] },
      ],
    },
  ]);
});

t.test('notices come from the rules that serve the file, hold from any of them', async (t) => {
  const rules = set('p', [
    `id: a, when: 'true', action: allow, obligations: { notice: first, release: hold }`,
    `id: b, when: 'true', action: allow, obligations: { notice: second }`,
    `id: c, when: convertible, action: convert, obligations: { notice: converted }`,
  ]);
  t.same(load(rules).decide(factsWith(), NOW).obligations, { notice: 'first; second', release: 'hold' });
  t.same(load(rules).decide(factsWith({ convertible: true }), NOW).obligations, {
    notice: 'converted',
    release: 'hold',
  });
});
