import t from 'tap';
import { loadPolicies } from '../../src/policy/load.ts';
import type { Decision, Facts } from '../../src/policy/types.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

const rule = (id: string, when: string, rest: string): string =>
  `  - id: ${id}\n    when: ${JSON.stringify(when)}\n    message: ${id} it is\n    ${rest}\n`;
const policies = (rules: string, mode = 'enforce') =>
  loadPolicies({
    'p.yaml': `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: rows }
mode: ${mode}
rules:
${rules}`,
  });
const SHA = 'b'.repeat(64);
const set = (dataset: Partial<Facts['dataset']>, change: Parameters<typeof factsWith>[0] = {}): Facts =>
  factsWith({
    ...change,
    artefact: { path: 'train.jsonl', format: 'jsonl', sha256: SHA },
    dataset: { rows: 1000, flagged: 3, rules: [{ rule: 'text.injection', rows: 3 }], ...dataset },
  });
const decided = (rules: string, facts: Facts): Decision => policies(rules).decide(facts, 0);

const DROP = rule('drop', 'dataset.flagged > 0', 'action: convert\n    obligations: { rows: drop }');
const ANNOTATE = rule('note', 'true', 'action: allow\n    obligations: { rows: annotate, notice: read it }');

t.test('rows are picked by number, rate, rule and kind', async (t) => {
  const cases: readonly (readonly [string, Partial<Facts['dataset']>, boolean])[] = [
    ['dataset.flagged * 1000 > dataset.rows', { flagged: 2 }, true],
    ['dataset.flagged * 1000 > dataset.rows', { flagged: 1 }, false],
    ["dataset.rules.exists(r, r.rule == 'text.injection' && r.rows >= 3)", {}, true],
    ["dataset.rules.exists(r, r.rule.startsWith('config.'))", {}, false],
    ["'exfiltration' in dataset.kinds", { kinds: ['exfiltration', 'override'] }, true],
    ["'exfiltration' in dataset.kinds", {}, false],
  ];
  for (const [when, dataset, matches] of cases) {
    const { action } = decided(rule('r', when, 'action: quarantine') + ANNOTATE, set(dataset));
    t.equal(action, matches ? 'quarantine' : 'allow', `${when} ${JSON.stringify(dataset)}`);
  }
  t.throws(() => policies(rule('r', 'dataset.flaged > 0', 'action: deny')), { code: 'POLICY_INVALID' });
});

t.test('rows are dropped where they can be, and the notice says how many', async (t) => {
  const decision = decided(DROP, set({ droppable: true }));
  t.match(decision, { action: 'convert', rule: 'p/drop', obligations: { rows: 'drop' } });
  t.equal(decision.obligations.notice, `3 of 1000 rows were dropped: text.injection 3, see /api/v1/reports/${SHA}`);
  t.equal(policies(DROP).dropsRows, true);
  t.equal(policies(ANNOTATE).dropsRows, false);
  t.equal(policies(DROP, 'audit').dropsRows, false);
});

t.test('a file whose rows cannot be dropped is held, and the reason says why', async (t) => {
  const held = decided(DROP, set({ reason: 'every row is flagged' }));
  t.match(held, { action: 'quarantine', obligations: {} });
  t.match(held.reason, /its flagged rows cannot be dropped: every row is flagged \(rule p\/drop\)/);
  const clean = rule('drop', 'true', 'action: convert\n    obligations: { rows: drop }');
  t.match(decided(clean, set({ flagged: 0 })), { action: 'quarantine', reason: /no row is flagged/ });
  const pickle = factsWith({ convertible: true, artefact: { content: 'tensors', format: 'torch-zip' } });
  t.equal(decided(clean, pickle).action, 'quarantine', 'tensors are no rows');
  const tensors = rule('tensors', 'true', 'action: convert');
  t.equal(decided(tensors, set({ droppable: true })).action, 'quarantine', 'rows are no tensors');
  t.equal(decided(DROP + rule('deny', 'dataset.flagged > 2', 'action: deny'), set({ droppable: true })).action, 'deny');
});

t.test('annotated rows and findings are counted by rule in one short line of ASCII', async (t) => {
  const { action, obligations } = decided(ANNOTATE, set({}));
  t.equal(action, 'allow');
  t.equal(obligations.notice, `3 of 1000 rows are flagged: text.injection 3, see /api/v1/reports/${SHA}; read it`);
  const findings = [findingOf('low', 'text.secret'), findingOf('low', 'text.secret'), findingOf('low', 'zip.gap')];
  const found = decided(ANNOTATE, set({ flagged: 0, rules: [] }, { findings }));
  t.match(found.obligations.notice, /^findings: text\.secret 2, zip\.gap 1, see/);
  t.equal(decided(ANNOTATE, set({ flagged: 0, rules: [] })).obligations.notice, 'read it');
  const rules = Array.from({ length: 90 }, (_, at) => ({ rule: `\u2028${'x'.repeat(200)}${at}`, rows: at }));
  const long = decided(ANNOTATE, set({ rules })).obligations.notice ?? '';
  t.match(long, /^[\x20-\x7e]{1,300}$/);
});

t.test('an obligation about rows belongs to one action', async (t) => {
  for (const [rows, action] of [
    ['drop', 'allow'],
    ['drop', 'deny'],
    ['annotate', 'convert'],
    ['annotate', 'quarantine'],
  ]) {
    const text = rule('r', 'true', `action: ${action}\n    obligations: { rows: ${rows} }`);
    t.throws(() => policies(text), { code: 'POLICY_INVALID', message: /p\.yaml:\d+:\d+: rows: \w+ belongs to action/ });
  }
});
