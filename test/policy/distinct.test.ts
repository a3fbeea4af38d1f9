import t from 'tap';
import { oneOfEachKind, seesOnlyKinds } from '../../src/policy/distinct.ts';
import { createEnvironment } from '../../src/policy/environment.ts';
import { prepare } from '../../src/policy/values.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';

const environment = createEnvironment();
/** Expressions that a crowd of the same finding changes nothing for. */
const BLIND = [
  'findings.exists(f, f.rule == "a" && f.severity >= medium)',
  'findings.all(f, f.severity < high || f.rule.startsWith("b"))',
  '!findings.exists(g, g.rule in ["a", "c"]) && artefact.size > 5',
  'findings.exists(f, dataset.kinds.exists(k, k == f.rule))',
  'dataset.kinds.all(k, findings.exists(f, f.rule == k))',
  'findings.exists(f, f.severity == low) != findings.exists(f, f.severity == high)',
];
/** Those that it does, or may: they count, look elsewhere, or use a name twice. */
const SEEING = [
  'findings.size() > 2',
  'size(findings) > 2',
  'findings.exists_one(f, f.rule == "a")',
  'findings.filter(f, f.rule == "a").size() == 2',
  'findings.map(f, f.rule).size() == 3',
  'findings.exists(f, f.message.contains("x"))',
  'findings.exists(f, f.where.offset > 30)',
  'findings.exists(f, f.rule == "a" && findings.size() > 2)',
  'findings.exists(f, [f].size() == 1)',
  'findings.exists(f, dataset.kinds.exists(f, f == "a"))',
  'findings[0].rule == "a"',
  'dataset.kinds.exists(findings, findings == "a")',
];

t.test('only expressions that cannot tell findings of a kind apart are given one of each', (t) => {
  for (const text of BLIND) t.equal(seesOnlyKinds(environment.parse(text).ast), true, text);
  for (const text of SEEING) t.equal(seesOnlyKinds(environment.parse(text).ast), false, text);
  t.end();
});

t.test('with one of each kind they give what they gave', (t) => {
  const severities = ['low', 'medium', 'high'] as const;
  let seed = 7;
  const any = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const seen = new Set<string>();
  for (let round = 0; round < 400; round += 1) {
    const findings = Array.from({ length: any(9) }, (_, at) =>
      findingOf(severities[any(3)] ?? 'low', ['a', 'b', 'c'][any(3)], at),
    );
    const facts = factsWith({ findings, dataset: { kinds: ['a', 'b'].slice(any(3)) } });
    const { values } = prepare(facts);
    const fewer = oneOfEachKind(values);
    for (const text of BLIND) {
      const run = environment.parse(text);
      const whole: unknown = run(values);
      if (run(fewer) !== whole) t.fail(`${text}: ${JSON.stringify(findings)}`);
      seen.add(`${text} ${String(whole)}`);
    }
  }
  t.equal(seen.size, 2 * BLIND.length, 'each was true and false');
  const { values } = prepare(factsWith({ findings: Array.from({ length: 9 }, (_, at) => findingOf('low', 'a', at)) }));
  const { findings } = oneOfEachKind(values);
  t.match(findings, [{ rule: 'a', where: { offset: 0n } }]);
  t.ok(Array.isArray(findings) && findings.length === 1);
  t.end();
});
