import { codeFindings } from './code.ts';
import { containerFindings } from './containers.ts';
import { databaseFindings } from './databases.ts';
import { modelFindings } from './models.ts';
import { pickleFindings } from './pickle.ts';
import { programFindings } from './programs.ts';
import { serialisedFindings } from './serialised.ts';
import { textFindings } from './texts.ts';
import type { Explanation, Findings } from './types.ts';

/** The tables, by family of formats: a new one is one file and one line here. */
export const tables: readonly Findings[] = [
  pickleFindings,
  containerFindings,
  modelFindings,
  programFindings,
  serialisedFindings,
  databaseFindings,
  codeFindings,
  textFindings,
];

/** Every explanation, by rule or by `*.what`. No rule stands in two tables: test/formats/findings.test.ts. */
export const findings: Findings = Object.fromEntries(tables.flatMap((table) => Object.entries(table)));

/** Families whose rules are those of another: code in a notebook is judged as code. */
const SAME: Readonly<Record<string, string>> = { notebook: 'python' };

/** The key of the table under which `rule` is explained; undefined for what is no rule. */
export const explainedAs = (rule: string): string | undefined => {
  const dot = rule.indexOf('.');
  const family = rule.slice(0, dot);
  const what = rule.slice(dot + 1);
  const other = Object.hasOwn(SAME, family) ? `${SAME[family]}.${what}` : rule;
  return [rule, other, `*.${what}`].find((key) => dot > 0 && Object.hasOwn(findings, key));
};

/** What a rule means, why it matters, what to do, and its references; undefined for what is no rule. */
export const explain = (rule: string): Explanation | undefined => {
  const key = explainedAs(rule);
  return key === undefined ? undefined : findings[key];
};
