import { WeighbridgeError } from '../../errors.ts';
import { printable, type Report } from '../../formats/format.ts';
import { withKnownBad } from '../../gateway/facts.ts';
import { factsOfFile } from '../../gateway/local.ts';
import type { KnownBadLookup } from '../../policy/known-bad.ts';
import type { Decision, Facts, PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Blobs, BlobWriter, Records } from '../../store/types.ts';

/** What an upload is weighed with. */
export type Scales = {
  readonly blobs: Blobs;
  readonly records: Records;
  readonly sandbox: Sandbox;
  readonly policies: () => PolicySet;
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
  readonly convertible: boolean;
  readonly report: Omit<Report, 'plan'>;
};

type Who = Pick<Facts, 'requester' | 'client'>;

/** Characters of a file's name. */
const MAX_NAME = 1024;

/**
 * Spools a file in the store's temporary folder while it arrives, inspects it there and judges it. Nothing stays unless
 * `keep` is set, whatever happens.
 */
export const weighUpload = async (scales: Scales, upload: Upload, who: Who): Promise<Verdict> => {
  const writer = await scales.blobs.create();
  try {
    for await (const chunk of upload.bytes) await writer.write(chunk);
    const { sha256 } = await writer.digests();
    const { size } = writer;
    const report = await inspect(scales, writer, sha256, upload.signal);
    if (upload.keep) await keep(scales, writer, sha256, report);
    const path = printable(upload.name, MAX_NAME);
    const facts = withKnownBad(factsOfFile({ path, size, sha256 }, report, who), scales.knownBad?.(sha256));
    const { action, rule, reason } = scales.policies().decide(facts, Date.now());
    const { plan, ...reported } = report;
    const told = { ...reported, findings: facts.findings };
    const decision = { action, rule, reason };
    return { path, sha256, size, kept: upload.keep, decision, convertible: plan !== undefined, report: told };
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

const keep = async ({ records, sandbox }: Scales, writer: BlobWriter, sha256: string, report: Report) => {
  await writer.commit();
  // What the sandbox could not finish may go better next time.
  if (report.details?.['sandbox'] === undefined) await records.put('report', `${sandbox.ruleset}/${sha256}`, report);
};
