import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { readCases } from '../../policy/cases.ts';
import { loadPolicies, wordProblem } from '../../policy/load.ts';
import { type CaseResult, type RuleCoverage, type Trial, tryPolicies } from '../../policy/trial.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { junitOf } from './junit.ts';

const FORMATS = ['plain', 'junit', 'json'];

/** `weighbridge policy test`: decides the cases beside a set and compares. */
export const test = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      strict: { type: 'boolean', default: false },
      format: { type: 'string', default: 'plain' },
      tests: { type: 'string' },
    },
    allowPositionals: true,
  });
  const { format, strict } = values;
  if (!FORMATS.includes(format))
    throw new WeighbridgeError('REQUEST_INVALID', `--format is one of ${FORMATS.join(', ')}`);
  const path = positionals[0] ?? loadConfig({}).policies.path;
  const now = Date.now();
  const set = loadPolicies(await readPolicyFiles(path), now);
  const { cases, problems } = readCases(await readTests(path, values.tests), now);
  if (problems.length > 0) throw new WeighbridgeError('POLICY_INVALID', problems.map(wordProblem).join('\n'));
  if (cases.length === 0) throw noTests(path, 'no case is in its tests');
  const trial = tryPolicies(set, cases);
  const uncovered = trial.coverage.filter(({ expected }) => expected === 0);
  if (format === 'json') io.stdout.write(`${JSON.stringify(asJson(set.digest, trial))}\n`);
  else if (format === 'junit') io.stdout.write(junitOf(trial, strict ? uncovered : []));
  else io.stdout.write(report(trial, uncovered));
  const failed = trial.results.some(({ differences }) => differences.length > 0) || (strict && uncovered.length > 0);
  return failed ? EXIT.refused : EXIT.ok;
};

/** The texts of the tests that belong to the policies at `path`, by the path that reports show. */
const readTests = async (path: string, given: string | undefined): Promise<Record<string, string>> => {
  if (given !== undefined) return readPolicyFiles(given);
  const isFolder = statSync(path).isDirectory();
  const folder = join(isFolder ? path : dirname(path), 'tests');
  const stem = basename(path).replace(/\.ya?ml$/, '');
  const names = existsSync(folder) ? (await readdir(folder)).filter((name) => /^[^.].*\.ya?ml$/.test(name)) : [];
  const own = isFolder ? names : names.filter((name) => name.replace(/\.ya?ml$/, '') === stem);
  if (own.length === 0) throw noTests(path, `expected ${join(folder, isFolder ? '*.yaml' : `${stem}.yaml`)}`);
  const read = isFolder ? [folder] : own.map((name) => join(folder, name));
  const texts = await Promise.all(read.map(readPolicyFiles));
  return Object.fromEntries(
    texts.flatMap((files) => Object.entries(files).map(([name, text]) => [`tests/${name}`, text])),
  );
};

const noTests = (path: string, why: string): WeighbridgeError =>
  new WeighbridgeError('NOT_FOUND', `${path} has no tests: ${why}`);

const asJson = (policySet: string, { results, coverage }: Trial): unknown => ({
  policySet,
  cases: results.map(({ of: { name, path, line, column, expected }, decision, differences }) => ({
    name,
    path,
    line,
    column,
    passed: differences.length === 0,
    expected,
    decision,
    differences,
  })),
  rules: coverage.map((rule) => ({ ...rule, covered: rule.expected > 0 })),
});

/** Failures first, with what differs; then how often each rule was spoken of; then the sums. */
const report = ({ results, coverage }: Trial, uncovered: readonly RuleCoverage[]): string => {
  const failed = results.filter(({ differences }) => differences.length > 0);
  const covered = coverage.length - uncovered.length;
  return [
    ...failed.flatMap(wordFailure),
    ...(failed.length > 0 ? [''] : []),
    ...coverageTable(coverage),
    '',
    `${results.length - failed.length} of ${results.length} cases pass, ${covered} of ${coverage.length} rules are covered`,
    '',
  ].join('\n');
};

const wordFailure = ({ of: { name, path, line, column }, decision, differences }: CaseResult): readonly string[] => [
  `FAILED  ${path}:${line}:${column}  ${name}`,
  ...differences.map((difference) => `        ${difference}`),
  `        reason given: ${decision.reason}`,
];

const coverageTable = (coverage: readonly RuleCoverage[]): readonly string[] => {
  const rows = [
    ['rule', 'action', 'matched', 'expected', ''],
    ...coverage.map(({ rule, action, mode, matched, expected }) => [
      rule,
      mode === 'audit' ? `${action} (audit)` : action,
      String(matched),
      String(expected),
      expected === 0 ? 'not covered' : '',
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
};
