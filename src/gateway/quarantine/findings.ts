import { createHash } from 'node:crypto';
import type { Finding } from '../../formats/format.ts';

/** Hex digits kept of a fingerprint: 128 bits. */
const DIGITS = 32;

/** What a finding says, without its wording: the same rule, severity, place and evidence are the same finding. */
const fingerprint = ({ rule, severity, where, evidence }: Finding): string =>
  createHash('sha256')
    .update(JSON.stringify([rule, severity, where.path, where.offset, evidence]))
    .digest('hex')
    .slice(0, DIGITS);

/** What was seen, to be compared later. */
export const fingerprints = (findings: readonly Finding[]): readonly string[] => [
  ...new Set(findings.map(fingerprint)),
];

/** Whether there is nothing that was not there when it was seen. */
export const nothingNew = (seen: readonly string[], findings: readonly Finding[]): boolean => {
  if (findings.length === 0) return true;
  const before = new Set(seen);
  return findings.every((finding) => before.has(fingerprint(finding)));
};
