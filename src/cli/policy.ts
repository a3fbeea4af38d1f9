import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { readPolicyFiles } from '../gateway/policies.ts';
import { parseFacts } from '../policy/facts-schema.ts';
import { checkPolicies, loadPolicies, wordProblem } from '../policy/load.ts';
import type { Decision, Explained, Facts } from '../policy/types.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge policy check   [--json] [PATH]
       weighbridge policy explain [--json] [--policies PATH] --facts FILE

check     Reads a policy file, or every *.yaml and *.yml of a directory, and prints what is wrong with it as
          file:line:column. Ends with 0 when there are no errors, with 1 when there are.
explain   Decides on the facts in FILE (JSON, - for standard input) and prints for each rule what its conditions gave
          and which findings made them true. Ends with 1 when the decision is quarantine or deny.

PATH is the configured policies when it is left out. The least that facts need:
  {"artefact": {"path": "model.bin", "format": "pickle", "content": "tensors"}, "coverage": {"state": "complete"}}`;

export const policy: Command = {
  name: 'policy',
  summary: 'check policies, explain a decision',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const [what, ...rest] = args;
    if (what === 'check') return check(rest, io);
    if (what === 'explain') return explain(rest, io);
    io.stderr.write(`${usage}\n`);
    return EXIT.failed;
  },
};

const check = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' } },
    allowPositionals: true,
  });
  const path = positionals[0] ?? loadConfig({}).policies;
  const { set, problems } = checkPolicies(await readPolicyFiles(path), Date.now());
  if (values.json === true) {
    io.stdout.write(`${JSON.stringify({ path, valid: set !== undefined, digest: set?.digest, problems })}\n`);
  } else {
    for (const problem of problems) io.stdout.write(`${wordProblem(problem)}\n`);
    io.stdout.write(set === undefined ? `${path}: not valid\n` : `${path}: valid, digest ${set.digest}\n`);
  }
  return set === undefined ? EXIT.refused : EXIT.ok;
};

const explain = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, policies: { type: 'string' }, facts: { type: 'string' } },
  });
  if (values.facts === undefined) {
    io.stderr.write(`weighbridge policy explain: --facts is missing\n${usage}\n`);
    return EXIT.failed;
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
