import type { CaseResult, RuleCoverage, Trial } from '../../policy/trial.ts';

/**
 * A trial as JUnit XML, the form that build servers read: one suite for each file of tests, and one for the rules that
 * `uncovered` names, each a failure.
 */
export const junitOf = ({ results }: Trial, uncovered: readonly RuleCoverage[]): string => {
  const files = Map.groupBy(results, ({ of }) => of.path);
  const suites = [...files].map(([path, cases]) =>
    suite(path, cases.map(testCase), cases.filter(({ differences }) => differences.length > 0).length),
  );
  if (uncovered.length > 0) suites.push(suite('rule coverage', uncovered.map(uncoveredCase), uncovered.length));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="weighbridge policy test">\n${suites.join('')}</testsuites>\n`;
};

const suite = (name: string, cases: readonly string[], failures: number): string =>
  `  <testsuite name="${escaped(name)}" tests="${cases.length}" failures="${failures}">\n${cases.join('')}  </testsuite>\n`;

const testCase = ({ of: { name, path, line, column }, differences }: CaseResult): string =>
  element(
    name,
    path,
    differences.length === 0
      ? undefined
      : { message: differences[0] ?? '', text: [`${path}:${line}:${column}`, ...differences].join('\n') },
  );

const uncoveredCase = ({ rule }: RuleCoverage): string =>
  element(rule, 'rule coverage', { message: 'not covered', text: `no passing case names ${rule}` });

const element = (
  name: string,
  group: string,
  failure: { readonly message: string; readonly text: string } | undefined,
): string => {
  const head = `    <testcase name="${escaped(name)}" classname="${escaped(group)}"`;
  if (failure === undefined) return `${head}/>\n`;
  return `${head}>\n      <failure message="${escaped(failure.message)}">${escaped(failure.text)}</failure>\n    </testcase>\n`;
};

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** Text for an attribute or an element; what XML 1.0 cannot hold becomes U+FFFD. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"\n]/g, (character) => ENTITIES[character] ?? character);
