import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import type { ReadEntry } from '../../audit/reader.ts';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { printable } from '../../formats/format.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { parseFacts } from '../../policy/facts-schema.ts';
import { loadPolicies } from '../../policy/load.ts';
import type { Decision, Explained, Facts, PolicySet } from '../../policy/types.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { findDecision, openPast } from './past.ts';

/** Characters of an artefact's name on a terminal. */
const MAX_NAME = 500;

/** What is explained: facts, and of a past decision the entry that names them. */
type Asked = {
  readonly facts: Facts;
  /** The moment of the decision, ms since the epoch. */
  readonly at: number;
  readonly set: PolicySet;
  readonly past?: ReadEntry;
};

/** `weighbridge policy explain`: what each condition of each rule gave, for facts from a file or for a past decision. */
export const explain = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      policies: { type: 'string' },
      facts: { type: 'string' },
      data: { type: 'string' },
    },
    allowPositionals: true,
  });
  const [wanted, ...more] = positionals;
  if (more.length > 0 || (wanted === undefined) === (values.facts === undefined)) {
    throw new WeighbridgeError('REQUEST_INVALID', 'expected --facts or one decision; see weighbridge policy --help');
  }
  const asked =
    wanted === undefined
      ? await fromFile(values.facts ?? '', values.policies, io)
      : await fromLog(wanted, values.policies, values.data);
  const { facts, at, set, past } = asked;
  const decision = set.decide(facts, at);
  const rules = set.explain(facts, at);
  const json = {
    ...(past === undefined ? {} : { entered: enteredAs(past) }),
    policySet: set.digest,
    facts,
    decision,
    rules,
  };
  io.stdout.write(
    values.json === true
      ? `${JSON.stringify(json)}\n`
      : `${past === undefined ? '' : heading(past, set, decision)}${report(facts, decision, rules)}`,
  );
  return decision.action === 'allow' || decision.action === 'convert' ? EXIT.ok : EXIT.refused;
};

const fromFile = async (file: string, policies: string | undefined, io: CommandIo): Promise<Asked> => {
  const facts = parseFacts(file === '-' ? await readAll(io.stdin) : await readFile(file, 'utf8'));
  const at = Date.now();
  return { facts, at, set: loadPolicies(await readPolicyFiles(policies ?? loadConfig({}).policies.path), at) };
};

/** The facts, the policies and the moment of a past decision; with `policies` what these would have said then. */
const fromLog = async (wanted: string, policies: string | undefined, data: string | undefined): Promise<Asked> => {
  const past = openPast(data);
  try {
    const one = await findDecision(past, wanted);
    const { evidence } = one.entry;
    const facts = evidence && past.kept.facts(evidence.facts);
    if (evidence === undefined || facts === undefined) {
      throw new WeighbridgeError('NOT_FOUND', `the facts of entry ${one.index} are not kept`);
    }
    const set =
      policies === undefined ? past.kept.policies(evidence.policySet) : loadPolicies(await readPolicyFiles(policies));
    return { facts, set, at: Date.parse(one.entry.time), past: one };
  } finally {
    past.close();
  }
};

const enteredAs = ({ index, entry: { id, time, kind, request, evidence, decision } }: ReadEntry): unknown => ({
  index,
  id,
  time,
  kind,
  request: request?.id,
  evidence,
  decision,
});

/** Which decision this is, what was entered then, and whether the policies shown here still come to it. */
const heading = ({ index, entry }: ReadEntry, set: PolicySet, decision: Decision): string => {
  const { evidence, decision: then, artefact, time, kind } = entry;
  const was =
    then === undefined ? 'nothing' : `${then.action}  ${then.rule}${then.provisional ? ' (provisional)' : ''}`;
  const same = then?.action === decision.action && then.rule === decision.rule;
  const inForce = set.digest === evidence?.policySet;
  const name =
    artefact === undefined ? '' : `${artefact.ecosystem}:${artefact.repo}@${artefact.commit}/${artefact.path}`;
  const lines = [
    `entry ${index}  ${time}  ${kind}  ${printable(name, MAX_NAME)}`,
    `  entered: ${was}`,
    `  policies ${inForce ? 'in force then' : 'given, not those in force then'}: ${set.digest}`,
    `  ruleset ${evidence?.ruleset ?? ''}  facts ${evidence?.facts ?? ''}`,
    `  ${same ? 'the same decision comes of them:' : inForce ? 'this version comes to ANOTHER decision with them:' : 'they come to another decision:'}`,
  ];
  return `${lines.join('\n')}\n\n`;
};

const report = (facts: Facts, decision: Decision, rules: readonly Explained[]): string => {
  const lines = [`${decision.action}  ${decision.rule}`, `  ${decision.reason}`];
  const { notice, release, rows: flagged } = decision.obligations;
  if (flagged !== undefined) lines.push(`  flagged rows: ${flagged}`);
  if (notice !== undefined) lines.push(`  notice: ${notice}`);
  if (release !== undefined) lines.push(`  release: ${release}`);
  if (decision.waiver !== undefined) lines.push(`  waiver ${decision.waiver}`);
  if (decision.audited !== undefined) {
    lines.push(`  with all enforced that is only observed: ${decision.audited.action}  ${decision.audited.rule}`);
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
