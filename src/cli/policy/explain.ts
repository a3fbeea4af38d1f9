import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { parseFacts } from '../../policy/facts-schema.ts';
import { loadPolicies } from '../../policy/load.ts';
import type { Decision, Explained, Facts } from '../../policy/types.ts';
import { type CommandIo, EXIT } from '../command.ts';

/** `weighbridge policy explain`: what each condition of each rule gave for some facts. */
export const explain = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, policies: { type: 'string' }, facts: { type: 'string' } },
  });
  if (values.facts === undefined) {
    throw new WeighbridgeError('REQUEST_INVALID', '--facts is missing; see weighbridge policy --help');
  }
  const facts = parseFacts(values.facts === '-' ? await readAll(io.stdin) : await readFile(values.facts, 'utf8'));
  const now = Date.now();
  const set = loadPolicies(await readPolicyFiles(values.policies ?? loadConfig({}).policies), now);
  const decision = set.decide(facts, now);
  const rules = set.explain(facts, now);
  io.stdout.write(values.json === true ? `${JSON.stringify({ decision, rules })}\n` : report(facts, decision, rules));
  return decision.action === 'allow' || decision.action === 'convert' ? EXIT.ok : EXIT.refused;
};

const report = (facts: Facts, decision: Decision, rules: readonly Explained[]): string => {
  const lines = [`${decision.action}  ${decision.rule}`, `  ${decision.reason}`];
  const { notice, release, rows: flagged } = decision.obligations;
  if (flagged !== undefined) lines.push(`  flagged rows: ${flagged}`);
  if (notice !== undefined) lines.push(`  notice: ${notice}`);
  if (release !== undefined) lines.push(`  release: ${release}`);
  if (decision.waiver !== undefined) lines.push(`  waiver ${decision.waiver}`);
  if (decision.audited !== undefined) {
    lines.push(`  with every audited policy enforced: ${decision.audited.action}  ${decision.audited.rule}`);
  }
  for (const rule of rules.toSorted((a, b) => Number(b.matched) - Number(a.matched))) {
    lines.push('', `${rule.matched ? 'matched' : '-      '}  ${rule.rule}  (${rule.action})`);
    for (const { text, at, value, witnesses, error } of rule.conditions) {
      lines.push(`  ${String(value).padEnd(5)}  ${text.replaceAll(/\s+/g, ' ')}  [${at}]`);
      if (error !== undefined) lines.push(`         ${error}`);
      for (const index of witnesses) {
        const finding = facts.findings[index];
        if (finding === undefined) continue;
        const place = [...finding.where.path, `byte ${finding.where.offset}`].join(' > ');
        lines.push(`         finding ${index}: ${finding.rule} (${finding.severity}) at ${place}: ${finding.message}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
};
