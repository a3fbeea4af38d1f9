import { findings } from '../../src/formats/findings/explain.ts';

const LINKS: readonly (readonly [pattern: RegExp, address: (id: string) => string])[] = [
  [/^CVE-/, (id) => `https://www.cve.org/CVERecord?id=${id}`],
  [/^CWE-/, (id) => `https://cwe.mitre.org/data/definitions/${id.slice('CWE-'.length)}.html`],
  [/^AML\.T\d+$/, (id) => `https://atlas.mitre.org/techniques/${id}`],
  [/^AML\.T\d+\.\d+$/, (id) => `https://atlas.mitre.org/techniques/${id}`],
];

const link = (id: string): string => {
  const address = LINKS.find(([pattern]) => pattern.test(id))?.[1];
  return address === undefined ? id : `[${id}](${address(id)})`;
};

/** What the family of a rule is called in the page. */
const familyOf = (rule: string): string => rule.split('.')[0] ?? '';

const section = (family: string): string => {
  const own = Object.entries(findings).filter(([rule]) => familyOf(rule) === family);
  const title = family === '*' ? 'Of more than one format' : `\`${family}\``;
  const entries = own.map(
    ([rule, { title: what, why, advice, refs }]) =>
      `### \`${rule}\`\n\n${what} ${why}\n\n- **What to do:** ${advice}\n- **References:** ${refs.map(link).join(', ')}`,
  );
  return [`## ${title}`, ...entries].join('\n\n');
};

/** docs/findings.md, from the table in src/formats/findings/. */
export const findingsPage = (): string => `# Findings

<!-- Written by \`node .ci/findings-doc.mjs\` from the table in src/formats/findings/; a test says when it is out of date. -->

Each finding in a report has a rule, a severity, a place (the chain of containers and a byte offset) and the evidence that
was seen. This page says of every rule what it is, why it matters and what to do; \`weighbridge scan --explain RULE\` prints the
same. The severity stands in the report: one rule can be harmless in one place and an attack in another.

A rule \`*.what\` is the rule \`what\` of every format that has none of its own: \`zip.duplicate-name\` and
\`torch-zip.duplicate-name\` are explained by \`*.duplicate-name\`. Rules \`notebook.*\` are explained by \`python.*\`.

References are CVE and CWE ids, OWASP Top 10 for LLM applications 2025 (\`LLM…:2025\`), MITRE ATLAS (\`AML…\`) and
NIST AI 100-2 E2025 (\`NISTAML…\`).

${[...new Set(Object.keys(findings).map(familyOf))].sort().map(section).join('\n\n')}
`;
