import { loadPolicies } from '../../src/policy/load.ts';
import type { Facts, PolicySet } from '../../src/policy/types.ts';
import { factsWith, findingOf } from '../../test/support/policy-facts.ts';

const CONDITIONS: readonly ((at: number) => string)[] = [
  (at) => `findings.exists(f, f.rule == "rule.${at}" && f.severity >= medium)`,
  (at) => `artefact.format in ["torch", "pickle", "format-${at}"] && upstream.ageDays < ${at}`,
  (at) => `artefact.repo.glob("models/organisation-${at}/**") && !(artefact.content in ["inert", "tensors"])`,
  (at) => `requester.team == "team-${at}" && upstream.licence != "mit"`,
];

/** A set of `count` rules of four kinds, every fourth of which looks through all findings. */
export const manyRules = (count: number): PolicySet => {
  const rules = Array.from(
    { length: count },
    (_, at) =>
      `  - { id: rule-${at}, when: '${CONDITIONS[at % CONDITIONS.length]?.(at)}', action: quarantine, message: no }`,
  );
  const head = 'apiVersion: weighbridge/v1\nkind: PolicySet\nversion: "1"\ndefaultAction: allow\n---\n';
  const policy = `apiVersion: weighbridge/v1\nkind: Policy\nmetadata: { id: many, title: Many }\nrules:\n${rules.join('\n')}\n`;
  return loadPolicies({ 'many.yaml': head + policy });
};

/** Facts with `count` findings, other objects each time: nothing that was found for one is known of the next. */
export const manyFindings = (count: number, round: number): Facts =>
  factsWith({
    findings: Array.from({ length: count }, (_, at) => findingOf('low', `other.${at % 50}`, at + round)),
  });
