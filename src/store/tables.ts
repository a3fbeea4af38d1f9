import type { Json, Report } from '../formats/format.ts';
import type { PersonRole } from '../identity/roles.ts';
import type { TokenTerms } from '../identity/terms.ts';

/** What every order has: why, who gave it and who ended it, as pseudonyms; times in ms since the epoch. */
type Ordered = {
  readonly reason: string;
  readonly at: number;
  readonly by: string;
  readonly liftedAt?: number;
  readonly liftedBy?: string;
};

/** What an order is about; all that is named must hold. Names may be globs as in policies. */
export type Matched = {
  /** The digest that was named, and those that it was made of. */
  readonly digests?: readonly string[];
  readonly repo?: string;
  readonly namespace?: string;
  /** A rule of a policy, or of a finding. */
  readonly rule?: string;
};

/** What an admin ordered beside the policies. */
export type Order = Ordered &
  (
    | { readonly kind: 'hold'; readonly match: Matched }
    /** `since`: only what was served before passes. */
    | { readonly kind: 'freeze'; readonly since: number; readonly ecosystem?: string }
    /** A legal hold: entries that match, and these blobs, stay. */
    | { readonly kind: 'keep'; readonly match: Matched; readonly blobs: readonly string[] }
    /** Lets one pipeline past these rules from its approval on, for so many hours. */
    | {
        readonly kind: 'pass';
        /** Id of a token and its pseudonym in facts and entries, or a team that a token proves. */
        readonly token?: string;
        readonly actor?: string;
        readonly team?: string;
        readonly rules: readonly string[];
        readonly hours: number;
        readonly approvedAt?: number;
        readonly approvedBy?: string;
      }
  );

/** What somebody did about a release, and when; `by` is a pseudonym, `at` in ms since the epoch. */
export type Act = { readonly by: string; readonly at: number; readonly text: string };

/**
 * A release of what a policy refuses: asked for by people, or by the clock of a rule that lets go by itself (`waiting`, and
 * `released` once it has).
 */
export type KeptRelease = {
  readonly state: 'requested' | 'active' | 'refused' | 'revoked' | 'expired' | 'waiting' | 'released';
  /** What was refused; with a digest the release goes with these bytes wherever they lie, else with the place. */
  readonly artefact: {
    readonly ecosystem: string;
    readonly repo: string;
    readonly commit: string;
    readonly path: string;
    readonly sha256?: string;
  };
  readonly rules: readonly string[];
  /** Fingerprints of the findings that were there (gateway/quarantine/findings.ts): any other one holds it again. */
  readonly findings: readonly string[];
  /** By digest: the facts that were refused, and the policies in force then. */
  readonly facts: string;
  readonly policySet: string;
  readonly reason: string;
  readonly owner: string;
  /** Who asked, and when; of a clock: since when it holds. */
  readonly by: string;
  readonly at: number;
  readonly expiresAt?: number;
  readonly approvals: readonly Act[];
  readonly comments: readonly Act[];
  readonly ended?: Act;
};

/** What the gateway remembers, by table. Keys stand in the comments; every value is plain JSON. */
export type Tables = {
  /** `<ecosystem>/<repo>/<commit>/<path>` → what upstream says about the artefact and, once fetched, its blob. */
  artefact: {
    readonly size: number;
    readonly etag: string;
    readonly sha256?: string;
    readonly fetchedAt?: number;
  };
  /** `<ruleset>/<sha256>` → the report of a whole local blob. */
  report: Report;
  /** sha256 → size in bytes and when it was last served (ms since the epoch). For eviction and re-inspection. */
  blob: { readonly size: number; readonly servedAt: number };
  /** `<source sha256>/<converter version>` → the converted blob, once it is known. */
  conversion: { readonly etag: string; readonly size: number; readonly sha256?: string; readonly header: string };
  /** sha256 of a converted blob → its statement. */
  statement: Json;
  /** `<ecosystem>/<repo>/<what>` → an upstream metadata answer (status, headers, body) to serve when upstream is away. */
  metadata: {
    readonly status: number;
    readonly headers: Record<string, string>;
    readonly body: string;
    readonly at: number;
  };
  /** `<ecosystem>/<repo>/<revision>` → the commit that a branch or tag last pointed to. */
  revision: { readonly commit: string; readonly at: number };
  /** digest → the canonical JSON of the facts of a decision; kept as long as the log. */
  facts: Json;
  /** digest → the policy files of a set, by path; kept as long as the log. */
  policySet: { readonly files: Readonly<Record<string, string>>; readonly at: number; readonly shadow?: true };
  /** Keyed pseudonym → the personal value behind it; erasable without touching the log. */
  person: { readonly value: string; readonly at: number };
  /** `<upstream>/<team>` → the credential that is shown there, encrypted (gateway/vault.ts), and who stored it. */
  credential: { readonly sealed: string; readonly at: number; readonly by: string };
  /** Id → what an admin ordered beside the policies (gateway/orders). Kept after its end, to be listed. */
  order: Order;
  /** Id → a release of what is refused (gateway/quarantine). Kept after its end, to be listed. */
  release: KeptRelease;
  /** Name of a stream → the position of the next entry of the log that it sends. */
  stream: { readonly next: number };
  /** Name of a place that checkpoints are posted to → entries in the newest one that arrived. */
  post: { readonly size: number };
  /** Id of a token that this gateway made → its terms and the sha256 of its secret. Kept after its end, to be listed. */
  token: TokenTerms & {
    readonly sha256: string;
    readonly createdAt: number;
    readonly createdBy: string;
    readonly revokedAt?: number;
  };
  /** Name → a person who signs in here with a password (gateway/accounts.ts). Kept after its end, to be listed. */
  account: {
    readonly role: PersonRole;
    /** As gateway/passwords.ts writes it. */
    readonly password: string;
    readonly createdAt: number;
    readonly createdBy: string;
    /** When the password was set: sessions from before have ended. */
    readonly changedAt: number;
    readonly disabledAt?: number;
  };
  /** sha256 of a session's secret → who signed in, how, and when they were last here. Forgotten after its end. */
  session: {
    readonly name: string;
    readonly role: PersonRole;
    readonly via: 'account' | 'oidc';
    /** What a directory calls the person, for people to read; and the digest of the settings under which it vouched. */
    readonly shown?: string;
    readonly directory?: string;
    /** The directory was asked to see the person again, whatever it remembered of them. */
    readonly anew?: true;
    readonly createdAt: number;
    readonly seenAt: number;
  };
};

export type Table = keyof Tables;
