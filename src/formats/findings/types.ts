/** What stands in docs/findings.md about one rule. */
export type Explanation = {
  /** What was found, in one sentence. */
  readonly title: string;
  /** What it leads to. */
  readonly why: string;
  /** What whoever meets it should do. */
  readonly advice: string;
  /** CVE, CWE, OWASP LLM (2025), MITRE ATLAS and NIST AI 100-2 (E2025) ids. */
  readonly refs: readonly string[];
};

/**
 * Explanations by rule. A key `*.what` stands for the rule `what` of every format that has none of its own: what archives
 * and compressions have in common is said once.
 */
export type Findings = Readonly<Record<string, Explanation>>;

/** One entry of a table, in the order of the fields of `Explanation`. */
export type Row = readonly [title: string, why: string, advice: string, refs: readonly string[]];

/** A table of rows as explanations. */
export const toFindings = (rows: Readonly<Record<string, Row>>): Findings =>
  Object.fromEntries(
    Object.entries(rows).map(([rule, [title, why, advice, refs]]) => [rule, { title, why, advice, refs }]),
  );
