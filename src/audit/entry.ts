import { WeighbridgeError } from '../errors.ts';
import { redact } from './redact.ts';
import type { Entry } from './types.ts';

/** Bytes of one entry. C2SP entry bundles allow 65,535; a request needs about 700. */
export const MAX_ENTRY = 16 * 1024;
/** Characters that a text is cut to, one after the other, until an entry fits. */
const CUTS = [4096, 512, 64, 16];

/** What the log adds to an entry. */
export type Stamp = { readonly id: string; readonly time: number; readonly node: string };

/** An entry as it is read back. `v` is the version of this format. */
export type LoggedEntry = Entry & { readonly v: 1; readonly id: string; readonly time: string; readonly node: string };

/**
 * The line of an entry, without line break: JSON in fixed key order. Control, separator and direction characters are
 * escaped, so that no value breaks a line or deceives a terminal; secrets are taken out once more. Texts of an entry
 * that is too long are cut, with a note of it. Throws LIMIT_EXCEEDED when even that does not do.
 */
export const formatEntry = (entry: Entry, stamp: Stamp): string => {
  const line = lineOf(entry, stamp);
  if (fits(line)) return line;
  for (const cut of CUTS) {
    const shorter = lineOf(shortened(entry, cut), stamp, true);
    if (fits(shorter)) return shorter;
  }
  throw new WeighbridgeError('LIMIT_EXCEEDED', `a log entry has more than ${MAX_ENTRY} bytes`, { limit: MAX_ENTRY });
};

// C1 controls and DEL, line separators, and everything that turns the direction of text (CVE-2021-42574).
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const lineOf = (entry: Entry, { id, time, node }: Stamp, truncated?: true): string => {
  const { request, client, artefact, decision, evidence, served } = entry;
  const ordered = {
    v: 1,
    id,
    time: new Date(time).toISOString(),
    node,
    kind: entry.kind,
    request: request && { id: request.id, method: request.method, route: request.route },
    actor: entry.actor,
    team: entry.team,
    environment: entry.environment,
    teamFrom: entry.teamFrom,
    client: client && { name: client.name, version: client.version },
    artefact: artefact && {
      ecosystem: artefact.ecosystem,
      repo: artefact.repo,
      commit: artefact.commit,
      path: artefact.path,
      sha256: artefact.sha256,
      size: artefact.size,
      format: artefact.format,
    },
    decision: decision && {
      action: decision.action,
      rule: decision.rule,
      reason: decision.reason,
      provisional: decision.provisional,
      waiver: decision.waiver,
      audited: decision.audited && { action: decision.audited.action, rule: decision.audited.rule },
      shadow: decision.shadow && {
        action: decision.shadow.action,
        rule: decision.shadow.rule,
        policySet: decision.shadow.policySet,
      },
    },
    evidence: evidence && { policySet: evidence.policySet, ruleset: evidence.ruleset, facts: evidence.facts },
    served: served && {
      status: served.status,
      bytes: served.bytes,
      range: served.range,
      release: served.release,
      convertedFrom: served.convertedFrom,
      complete: served.complete,
    },
    detail: entry.detail,
    ms: entry.ms,
    truncated,
  };
  return redact(JSON.stringify(ordered)).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
};

const fits = (line: string): boolean => line.length * 3 <= MAX_ENTRY || Buffer.byteLength(line) <= MAX_ENTRY;

/** The entry with every text of at most `cut` characters; what was cut says how much is missing. */
const shortened = (entry: Entry, cut: number): Entry =>
  JSON.parse(JSON.stringify(entry), (_key, value: unknown) =>
    typeof value === 'string' && value.length > cut ? `${value.slice(0, cut)}… (${value.length - cut} more)` : value,
  );

/** The entry of a line; undefined when the line is none. */
export const parseEntry = (line: string): LoggedEntry | undefined => {
  try {
    const value = JSON.parse(line);
    const known = typeof value === 'object' && value !== null && typeof value.id === 'string' && value.v === 1;
    return known && typeof value.time === 'string' && typeof value.kind === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
};
