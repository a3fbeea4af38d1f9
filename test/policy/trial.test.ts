import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { readCases } from '../../src/policy/cases.ts';
import { loadPolicies, wordProblem } from '../../src/policy/load.ts';
import { testJsonSchema } from '../../src/policy/test-schema.ts';
import { tryPolicies } from '../../src/policy/trial.ts';

const folder = join(import.meta.dirname, '../../policies');
const textOf = (path: string): string => readFileSync(join(folder, path), 'utf8');

const shipped = (name: string) => {
  const { cases, problems } = readCases({ [name]: textOf(`tests/${name}.yaml`) }, 0);
  return { policies: textOf(`${name}.yaml`), cases, problems };
};

const problemsOf = (text: string): string => readCases({ 't.yaml': text }, 0).problems.map(wordProblem).join('\n');

const head = 'apiVersion: weighbridge/v1\nkind: PolicyTest\n';
const one = (facts: string, expect = 'allow default'): string =>
  `${head}cases:\n  - name: a\n    facts: ${facts}\n    expect: ${expect}\n`;

t.test('every shipped policy has cases that pass and cover every rule', async (t) => {
  for (const name of ['default', 'strict', 'research']) {
    const { policies, cases, problems } = shipped(name);
    t.same(problems, []);
    const { results, coverage } = tryPolicies(loadPolicies({ [name]: policies }), cases);
    t.same(
      results.flatMap(({ of, differences }) => (differences.length > 0 ? [of.name, ...differences] : [])),
      [],
      name,
    );
    t.same(
      coverage.filter(({ expected }) => expected === 0),
      [],
      name,
    );
    t.ok(coverage.length >= 13);
  }
});

t.test('a rule that counts as covered is missed by a case when it never matches', async (t) => {
  for (const name of ['default', 'strict', 'research']) {
    const { policies, cases } = shipped(name);
    for (const rule of loadPolicies({ [name]: policies }).rules) {
      const without = switchedOff(policies, rule.name);
      const { results } = tryPolicies(loadPolicies({ [name]: without }), cases);
      t.ok(
        results.some(({ differences }) => differences.length > 0),
        `${name}: ${rule.name}`,
      );
    }
  }
});

const switchedOff = (text: string, rule: string): string => {
  const documents = parseAllDocuments(text);
  let found = 0;
  for (const document of documents) {
    const content = document.toJS();
    for (const [index, { id }] of (content.rules ?? []).entries()) {
      if (`${content.metadata.id}/${id}` !== rule) continue;
      document.setIn(['rules', index, 'when'], 'false');
      found += 1;
    }
  }
  t.equal(found, 1, `${rule} was switched off`);
  return documents.map((document) => JSON.stringify(document.toJS())).join('\n---\n');
};

t.test('what a case misses is said: decision, obligations, reason, audited, waiver, other rules', async (t) => {
  const policies = `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - { id: held, when: artefact.path == "a", action: quarantine, message: not yet }
  - { id: open, when: artefact.path != "a", action: allow, message: fine, obligations: { notice: look, release: hold } }
---
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: q, title: Trial }
mode: audit
rules:
  - { id: no, when: artefact.path == "b", action: deny, message: never }
---
apiVersion: weighbridge/v1
kind: Waiver
metadata: { id: w }
rules: [p/held]
match: { artefact: { ecosystem: huggingface, repo: r, commit: c, path: a } }
reason: read
owner: jane
approvedBy: [joe]
expires: 2026-01-31
`;
  const set = loadPolicies({ 'p.yaml': policies });
  const { cases, problems } = readCases(
    {
      't.yaml': `${head}now: 2026-01-15T00:00:00Z
given: { artefact: { path: a, repo: r, commit: c } }
cases:
  - { name: waived, expect: { action: allow, rule: p/held, waiver: w, reason: released by waiver w } }
  - { name: other commit, facts: { artefact: { commit: d } }, expect: quarantine p/held }
  - { name: b, facts: { artefact: { path: b } }, expect: { action: allow, rule: p/open, audited: { action: deny, rule: q/no }, obligations: { notice: look, release: hold } } }
---
${head}now: 2026-02-15T00:00:00Z
given: { artefact: { path: a, repo: r, commit: c } }
cases:
  - { name: late, expect: quarantine p/held }
  - { name: wrong, expect: { action: allow, rule: default, waiver: w, reason: nothing, also: [p/open], audited: { action: deny, rule: q/no } } }
  - { name: too little, facts: { artefact: { path: b } }, expect: { action: allow, rule: p/open, obligations: { notice: look } } }
`,
    },
    0,
  );
  t.same(problems, []);
  const { results, coverage } = tryPolicies(set, cases);
  t.same(
    results.map(({ differences }) => differences.length),
    [0, 0, 0, 0, 5, 1],
  );
  t.match(results[4], {
    of: { path: 't.yaml', line: 16, column: 5 },
    differences: [
      'decision: expected allow default, got quarantine p/held',
      'audited: expected deny q/no, got nothing',
      'waiver: expected w, got none',
      /^reason: expected one with "nothing", got a: not yet/,
      'also: p/open did not match',
    ],
  });
  t.same(results[5]?.differences, ['obligations: expected notice "look", got notice "look", release "hold"']);
  t.match(coverage, [
    { rule: 'p/held', matched: 4, expected: 3 },
    { rule: 'p/open', matched: 2, expected: 1 },
    { rule: 'q/no', mode: 'audit', matched: 2, expected: 1 },
  ]);
});

t.test('what is wrong in a file of tests is named with its place', async (t) => {
  t.match(problemsOf(one('{ artefact: { pth: a } }')), /^t\.yaml:5:\d+: unknown key "pth"$/m);
  t.match(
    problemsOf(one('{ artefact: { path: a }, findings: [bad] }')),
    /^t\.yaml:5:\d+: facts\.findings\.0: expected "<rule> <severity>"/,
  );
  t.match(
    problemsOf(one('{ artefact: { path: a }, coverage: whole }')),
    /^t\.yaml:5:\d+: facts\.coverage: expected one of complete/,
  );
  t.match(problemsOf(one('{}')), /^t\.yaml:5:\d+: facts\.artefact: /);
  t.match(
    problemsOf(one('{ artefact: { path: a } }', 'refuse p/q')),
    /^t\.yaml:6:\d+: expected "<action> <policy>\/<rule>"/,
  );
  t.match(problemsOf(one('{ artefact: { path: a } }').replace('facts', 'fact')), /^t\.yaml:5:5: unknown key "fact"$/m);
  t.match(
    problemsOf(`${one('{ artefact: { path: a } }')}---\n${one('{ artefact: { path: a } }')}`),
    /^t\.yaml:11:11: a case of this name is there already$/,
  );
  t.match(problemsOf(one('&x { artefact: { path: a } }')), /anchors are not allowed/);
  t.match(problemsOf(`${head}cases: []\n`), /^t\.yaml:3:8: /);
  t.match(problemsOf(one('{ __proto__: { artefact: { path: a } } }')), /facts\.artefact/, 'no property is inherited');
});

t.test('policies/tests/schema.json is what is accepted', async (t) => {
  t.same(
    JSON.parse(textOf('tests/schema.json')),
    JSON.parse(JSON.stringify(testJsonSchema())),
    'run: node .ci/policy-schema.mjs',
  );
});
