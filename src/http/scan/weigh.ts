import type { AccessLog } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Report } from '../../formats/format.ts';
import { factsDigest, withKnownBad } from '../../gateway/facts.ts';
import { factsOfFile } from '../../gateway/local.ts';
import type { KnownBadLookup } from '../../policy/known-bad.ts';
import type { Decision, Facts, PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Blobs, BlobWriter, Records } from '../../store/types.ts';
import { calledAs, type Evidence, enterDecision, evidenceOf, type Uploader } from './enter.ts';

/** What an upload is weighed with. */
export type Scales = {
  readonly blobs: Blobs;
  readonly records: Records;
  readonly sandbox: Sandbox;
  readonly policies: () => PolicySet;
  /** Every decision is entered here before it is told. */
  readonly log: AccessLog;
  /** The admin's list of digests that are known to be bad. */
  readonly knownBad?: KnownBadLookup;
};

/** A file of an upload. Its name is only what it is called in the answer. */
export type Upload = {
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly keep: boolean;
  readonly signal: AbortSignal;
};

/** What is said about one file. */
export type Verdict = {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  /** Whether the bytes and the report are in the store now. */
  readonly kept: boolean;
  readonly decision: Pick<Decision, 'action' | 'rule' | 'reason'>;
  /** By digest what the decision was computed from, as the entry in the access log has it. */
  readonly evidence: Evidence;
  readonly convertible: boolean;
  readonly report: Omit<Report, 'plan'>;
};

/**
 * Spools a file in the store's temporary folder while it arrives, inspects it there, judges it and enters the decision.
 * Nothing but the entry stays unless `keep` is set, whatever happens.
 */
export const weighUpload = async (scales: Scales, upload: Upload, who: Uploader): Promise<Verdict> => {
  const writer = await scales.blobs.create();
  try {
    for await (const chunk of upload.bytes) await writer.write(chunk);
    const { sha256 } = await writer.digests();
    const { size } = writer;
    const report = await inspect(scales, writer, sha256, upload.signal);
    const path = calledAs(upload.name);
    const { requester, client } = who;
    const known = factsOfFile({ path, size, sha256 }, report, { requester, client });
    const facts = withKnownBad(known, scales.knownBad?.(sha256));
    const set = scales.policies();
    const decided = set.decide(facts, Date.now());
    const evidence = evidenceOf(set.digest, scales.sandbox.ruleset, facts);
    await enterDecision(scales.log, who, facts, decided, evidence, upload.keep);
    if (upload.keep) await keep(scales, writer, report, facts);
    const { plan, ...reported } = report;
    const { action, rule, reason } = decided;
    return {
      path,
      sha256,
      size,
      kept: upload.keep,
      decision: { action, rule, reason },
      evidence,
      convertible: plan !== undefined,
      report: { ...reported, findings: facts.findings },
    };
  } finally {
    // Does nothing to what was kept.
    await writer.abort(new WeighbridgeError('CANCELLED', 'an upload is not kept'));
  }
};

const inspect = async (
  { records, sandbox }: Scales,
  writer: BlobWriter,
  sha256: string,
  signal: AbortSignal,
): Promise<Report> => {
  const known = await records.get('report', `${sandbox.ruleset}/${sha256}`);
  const { size } = writer;
  return known ?? sandbox.inspect({ size, read: (offset, length) => writer.read(offset, length) }, { signal });
};

const keep = async ({ records, sandbox }: Scales, writer: BlobWriter, report: Report, facts: Facts) => {
  const { sha256 } = facts.artefact;
  await writer.commit();
  await records.add('facts', factsDigest(facts), JSON.parse(JSON.stringify(facts)));
  // What the sandbox could not finish may go better next time.
  if (report.details?.['sandbox'] === undefined) await records.put('report', `${sandbox.ruleset}/${sha256}`, report);
};
