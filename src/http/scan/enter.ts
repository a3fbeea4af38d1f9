import type { AccessLog, Entry } from '../../audit/types.ts';
import { isFault } from '../../errors.ts';
import { printable } from '../../formats/format.ts';
import { factsDigest } from '../../gateway/facts.ts';
import { belonging } from '../../identity/team.ts';
import type { Decision, Facts } from '../../policy/types.ts';

/** Characters of a file's name, which is only what it is called. */
const MAX_NAME = 1024;

/** The name of an uploaded file as it is shown, judged and entered. */
export const calledAs = (name: string): string => printable(name, MAX_NAME);

/** Who uploads, as every entry of an upload begins and as the policies see it. */
export type Uploader = Pick<Facts, 'requester' | 'client'> & Required<Pick<Entry, 'request'>>;

/** By digest what a decision was computed from. */
export type Evidence = NonNullable<Entry['evidence']>;

export const evidenceOf = (policySet: string, ruleset: string, facts: Facts): Evidence => ({
  policySet,
  ruleset,
  facts: factsDigest(facts),
});

const beginning = ({ request, requester, client }: Uploader): Omit<Entry, 'kind' | 'served' | 'detail' | 'ms'> => ({
  request,
  actor: requester.id,
  ...belonging(requester),
  client,
});

const UPLOADED = { ecosystem: 'file', repo: '', commit: '' };

/** Enters the decision about one file. Resolves once it is on the disk; the answer leaves after that. */
export const enterDecision = async (
  log: AccessLog,
  who: Uploader,
  facts: Facts,
  { action, rule, reason, waiver, audited }: Decision,
  evidence: Evidence,
  kept: boolean,
): Promise<void> => {
  const { path, sha256, size, format } = facts.artefact;
  await log.append({
    kind: 'upload.decision',
    ...beginning(who),
    artefact: { ...UPLOADED, path, sha256, size, format },
    decision: {
      action,
      rule,
      reason,
      ...(waiver === undefined ? {} : { waiver }),
      ...(audited === undefined ? {} : { audited }),
    },
    evidence,
    detail: { kept },
  });
};

/** The file of an upload that is arriving, and how much of it has. */
export type Arriving = { readonly name: string; bytes: number };

/** Enters an upload that ended without a decision about the file that was arriving, or before there was one. */
export const enterFailure = async (
  log: AccessLog,
  who: Uploader,
  fault: string,
  arriving: Arriving | undefined,
): Promise<void> => {
  await log.append({
    kind: 'upload.failed',
    ...beginning(who),
    ...(arriving === undefined
      ? {}
      : { artefact: { ...UPLOADED, path: calledAs(arriving.name), size: arriving.bytes } }),
    detail: { fault },
  });
};

/** The fault that an upload ended with, by its code; whoever has gone has cancelled it. */
export const faultOf = (error: unknown, gone: boolean, objection: { readonly code: string } | undefined): string => {
  if (gone) return 'CANCELLED';
  if (objection !== undefined) return objection.code;
  return isFault(error) ? error.code : 'INTERNAL';
};
