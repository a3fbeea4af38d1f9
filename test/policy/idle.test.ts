import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SEVERITIES } from '../../src/formats/format.ts';
import { checkPolicies, wordProblem } from '../../src/policy/load.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

type RuleText = readonly [when: string, action: string, more?: string];

const policy = (rules: readonly RuleText[], more = '', id = 'p'): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: ${id}, title: Test }
${more}rules:
${rules.map(([when, action, extra = ''], index) => `  - { id: r${index}, when: '${when.replaceAll("'", "''")}', action: ${action}, message: m${extra} }`).join('\n')}
`;

const warningsOf = (text: string): string[] => {
  const { set, problems } = checkPolicies({ 'p.yaml': text }, undefined, true);
  if (set === undefined) throw new Error(problems.map(wordProblem).join('\n'));
  return problems.map(wordProblem);
};

const never = (when: string): boolean =>
  warningsOf(policy([[when, 'deny']])).some((text) => /can never match/.test(text));
/** Whether a weaker rule with the first condition never decides beside a stronger one with the second. */
const shadowed = (weak: string, strong: string): boolean =>
  warningsOf(
    policy([
      [weak, 'quarantine'],
      [strong, 'deny'],
    ]),
  ).some((text) => /p\/r0 never decides/.test(text));

t.test('a rule whose conditions exclude each other is named with its place', async (t) => {
  t.same(warningsOf(policy([['artefact.path == "a" && artefact.path == "b"', 'deny']])), [
    'p.yaml:5:21: warning: p/r0 can never match: its conditions exclude each other',
  ]);
  for (const when of [
    'false',
    'convertible && !convertible',
    'artefact.size > 5 && 3 > artefact.size',
    'artefact.size >= 5 && artefact.size <= 5 && artefact.size != 5',
    'artefact.format in ["a", "b"] && artefact.format == "c"',
    'artefact.format in ["a", "b"] && !(artefact.format in ["a", "b", "c"])',
    'coverage.state != "complete" && coverage.state != "partial" && coverage.state != "opaque"',
    'findings.exists(f, f.severity > critical)',
    'findings.exists(f, f.severity == low && f.severity == high)',
    'findings.exists(f, f.severity >= high) && !findings.exists(g, g.severity > info)',
    'findings.exists(f, f.rule == "a" && f.severity >= high) && findings.all(f, f.severity < high)',
    'artefact.path.glob("a*") && (convertible ? !artefact.path.glob("a*") : false)',
    'convertible == true && convertible != true',
  ]) {
    t.ok(never(when), when);
  }
});

t.test('nothing is said of rules that may match', async (t) => {
  for (const when of [
    'convertible',
    'artefact.path == "a" || artefact.path == "b"',
    'artefact.size > 5 && artefact.size < 7',
    'artefact.path.glob("a*") && artefact.path.glob("b*")',
    'artefact.path == "a" && artefact.repo == "b"',
    'findings.exists(f, f.rule == "a") && findings.exists(f, f.rule == "b")',
    'findings.exists(f, f.severity == high) && findings.exists(f, f.severity == low)',
    'findings.exists(f, f.severity == high) && !findings.all(f, f.severity == high)',
    'findings.exists(f, dataset.rules.exists(r, r.rule == f.rule)) && findings.exists(f, f.rule == "a")',
    // An index outside the list is an error, and then `onError` speaks.
    'findings[0].rule == "a" && findings[0].rule == "b"',
    'artefact.size == 9007199254740993 && artefact.size == 9007199254740992',
  ]) {
    t.notOk(never(when), when);
  }
});

t.test('a rule that another one always beats never decides', async (t) => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['convertible', 'convertible', true],
    ['convertible && artefact.size > 3', 'convertible', true],
    ['convertible', 'convertible && artefact.size > 3', false],
    ['artefact.path == "a"', 'artefact.path in ["a", "b"]', true],
    ['artefact.path in ["a", "b"]', 'artefact.path == "a"', false],
    ['findings.exists(f, f.severity == critical)', 'findings.exists(x, x.severity >= high)', true],
    ['findings.exists(f, f.severity == medium)', 'findings.exists(x, x.severity >= high)', false],
    [
      'findings.exists(f, f.severity >= high && f.rule.startsWith("a"))',
      'findings.exists(f, f.severity > medium)',
      true,
    ],
    ['artefact.size > 10', 'artefact.size >= 10', true],
    ['artefact.size >= 10', 'artefact.size > 10', false],
    ['coverage.state == "complete"', 'coverage.state != "partial"', true],
    ['coverage.state != "partial"', 'coverage.state in ["complete", "opaque"]', true],
    ['artefact.path.re2("a")', '( artefact.path.re2("a") )', true],
    ['artefact.path.re2("a")', 'artefact.path.re2("b")', false],
  ];
  for (const [weak, strong, expected] of cases) t.equal(shadowed(weak, strong), expected, `${weak} | ${strong}`);
});

t.test('which rule wins is asked of actions, order, modes, obligations, matches and vars', async (t) => {
  const both = (first: RuleText, second: RuleText): string[] => warningsOf(policy([first, second]));
  t.match(both(['convertible', 'deny'], ['convertible', 'deny']), [
    /^p\.yaml:6:21: warning: p\/r1 never decides: whatever it matches is matched by p\/r0 \(deny\), which wins unless it is waived$/,
  ]);
  t.match(both(['convertible', 'allow'], ['convertible', 'convert']), [
    /p\/r0 never decides.* \(convert\), which wins$/,
  ]);
  t.same(both(['convertible', 'allow', ', obligations: { release: hold }'], ['convertible', 'convert']), []);
  t.match(both(['convertible', 'allow', ', obligations: { release: hold }'], ['convertible', 'deny']), [/p\/r0/]);
  t.same(both(['convertible', 'convert'], ['convertible', 'quarantine']), [], 'what cannot be converted is held by r0');
  t.match(both(['convertible', 'quarantine'], ['convertible', 'convert']), [/p\/r1 never decides/]);

  const two = (first: string, second: string): string[] =>
    warningsOf(
      `${policy([['convertible', 'deny']], first, 'p')}---\n${policy([['convertible', 'quarantine']], second, 'q')}`,
    );
  const found = [/q\/r0 never decides: whatever it matches is matched by p\/r0/];
  t.match(two('', ''), found);
  t.same(two('mode: audit\n', ''), []);
  t.match(two('', 'mode: audit\n'), found);
  t.same(two('mode: off\n', ''), []);
  t.same(two('match: { repos: ["a"] }\n', ''), []);
  t.match(two('match: { repos: ["a"] }\n', 'match: { repos: ["a"], ecosystems: ["h"] }\n'), found);
  t.same(two('match: { exclude: ["a"] }\n', ''), []);
  t.same(two('', 'match: { stages: [request] }\n'), [], 'only the second is asked before a byte is fetched');
  const vars = (value: string): string => `vars: { x: '${value}' }\n`;
  const named = (first: string, second: string): string[] =>
    warningsOf(`${policy([['vars.x', 'deny']], first, 'p')}---\n${policy([['vars.x', 'allow']], second, 'q')}`);
  t.same(named(vars('convertible'), vars('true')), [], 'one name, two meanings');
  t.match(warningsOf(policy([['convertible', 'deny']], 'match: { repos: ["a"], exclude: ["a", "b"] }\n')), [
    /^p\.yaml:4:33: warning: never applies: everything it speaks of is excluded$/,
  ]);
});

t.test('what is said of random rules is true of random facts', async (t) => {
  let state = 20_261_123;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const name = (): string => pick(['"a"', '"b"', '"c"']);
  const relation = (): string => pick(['<', '<=', '>', '>=', '==', '!=']);
  const item = (): string =>
    pick([
      `f.severity ${relation()} ${pick(['info', 'low', 'medium', 'high', 'critical'])}`,
      `f.rule == ${name()}`,
      `f.rule in [${name()}, ${name()}]`,
    ]);
  const leaf = (): string =>
    pick([
      'convertible',
      `artefact.path == ${name()}`,
      `artefact.path in [${name()}, ${name()}]`,
      `artefact.size ${relation()} ${below(4)}`,
      `${below(4)} ${relation()} artefact.size`,
      `coverage.state ${pick(['==', '!='])} "${pick(['complete', 'partial', 'opaque'])}"`,
      `findings.${pick(['exists', 'all'])}(f, ${item()} ${pick(['&&', '||'])} ${item()})`,
      'artefact.repo.startsWith("models/")',
    ]);
  const condition = (depth: number): string => {
    if (depth === 0) return leaf();
    const [one, other] = [condition(depth - 1), condition(depth - 1)];
    return pick([
      `(${one} && ${other})`,
      `(${one} || ${other})`,
      `!(${one})`,
      one,
      `(convertible ? ${one} : ${other})`,
    ]);
  };
  const facts = () =>
    factsWith({
      artefact: { path: pick(['a', 'b', 'c', 'd']), size: below(5), repo: pick(['models/x', 'y']) },
      coverage: { state: pick(['complete', 'partial', 'opaque'] as const) },
      convertible: below(2) === 0,
      findings: Array.from({ length: below(4) }, () => findingOf(pick(SEVERITIES), pick(['a', 'b', 'c', 'd']))),
    });
  let claims = 0;
  for (let round = 0; round < 400; round += 1) {
    const rules = Array.from(
      { length: 5 },
      (): RuleText => [condition(1 + below(2)), pick(['allow', 'convert', 'quarantine', 'deny'])],
    );
    const { set, problems } = checkPolicies({ 'p.yaml': policy(rules) }, undefined, true);
    if (set === undefined) throw new Error(problems.map(wordProblem).join());
    const said = problems.map(({ message }) => message);
    claims += said.length;
    for (let sample = 0; said.length > 0 && sample < 100; sample += 1) {
      const one = facts();
      const decided = set.decide(one, 0).rule;
      const matched = set.explain(one, 0).flatMap(({ rule, matched: did }) => (did ? [rule] : []));
      for (const message of said) {
        const [rule = ''] = message.split(' ');
        const wrong = /can never match/.test(message) ? matched.includes(rule) : decided === rule;
        if (wrong) t.fail(`${message}: ${JSON.stringify(rules)}`);
      }
    }
  }
  t.ok(claims > 100, `${claims} claims were tried`);
});

t.test('shipped policies have no idle rule', async (t) => {
  for (const name of ['default', 'strict', 'research']) {
    const text = readFileSync(join(import.meta.dirname, `../../policies/${name}.yaml`), 'utf8');
    t.same(warningsOf(text), [], name);
  }
});

t.test('large and knotty sets are answered in bounded time', async (t) => {
  const knot = Array.from({ length: 14 }, (_, index) => `(artefact.path == "a${index}" || artefact.size == ${index})`);
  const text = policy(
    Array.from({ length: 200 }, (_, index) => [
      `${knot.join(' && ')} && artefact.repo == "r${index}"`,
      index % 2 === 0 ? 'deny' : 'allow',
    ]),
  );
  const began = performance.now();
  warningsOf(text);
  t.ok(performance.now() - began < 15_000);
});
