import type { Coverage, Finding } from '../formats/format.ts';
import type { Belonging } from '../identity/team.ts';
import type { Lineage } from './lineage.ts';

/** What is done with an artefact. Strongest wins: deny > quarantine > convert > allow. */
export const ACTIONS = ['allow', 'convert', 'quarantine', 'deny'] as const;
export type Action = (typeof ACTIONS)[number];

/**
 * The policy's input: everything known about one artefact and who asks, joined by the gateway. Every field is always
 * present, empty where nothing is known, so that a condition never fails on a missing key.
 */
export type Facts = {
  readonly stage: 'request' | 'content';
  readonly artefact: {
    readonly ecosystem: string;
    /** For the Hub with its kind: `models/org/name`, `datasets/org/name`, `spaces/org/name`. */
    readonly repo: string;
    readonly namespace: string;
    readonly commit: string;
    readonly path: string;
    readonly size: number;
    readonly sha256: string;
    /** From the report; empty at stage `request`. */
    readonly format: string;
    readonly content: string;
  };
  readonly coverage: Coverage;
  readonly findings: readonly Finding[];
  readonly convertible: boolean;
  /**
   * Of bytes that no format recognises: the index beside them that lays them out to the last byte, itself complete, inert
   * and allowed. Empty when there is none.
   */
  readonly explainedBy: { readonly path: string; readonly sha256: string; readonly format: string };
  /** Of a dataset that was read row by row; zero and empty of anything else. */
  readonly dataset: {
    readonly rows: number;
    /** Rows in which something orders a model around, or which are dangerous by themselves. */
    readonly flagged: number;
    /** How many rows each rule flagged. */
    readonly rules: readonly { readonly rule: string; readonly rows: number }[];
    /** The ways in which flagged rows try to steer a model. */
    readonly kinds: readonly string[];
    /** Whether there are flagged rows and the file can be served without them; else `reason` says why not. */
    readonly droppable: boolean;
    readonly reason: string;
  };
  /** What the file has from the base model that its repo declares. */
  readonly lineage: Lineage;
  readonly upstream: {
    readonly host: string;
    readonly private: boolean;
    readonly gated: boolean;
    readonly licence: string;
    readonly tags: readonly string[];
    readonly downloads: number;
    /** Days since the commit was made; -1 when unknown. */
    readonly ageDays: number;
  };
  /** `teamFrom` says whether a token proves the team or only the path of the request names it. */
  readonly requester: { readonly id: string } & Belonging;
  readonly client: { readonly name: string; readonly version: string };
  /** What was granted, or runs by itself, for just these bytes and findings. */
  readonly releases: readonly Release[];
};

/**
 * Lifts what holds an artefact by the rules that it names: `until` a moment when people granted it, or from the moment on at
 * which a rule's `autoRelease` has passed since `heldSince`. Both in ms since the epoch.
 */
export type Release = {
  readonly id: string;
  readonly rules: readonly string[];
  readonly until?: number;
  readonly heldSince?: number;
};

/** How releases come about, as the set says. */
export type ReleaseTerms = {
  /** People who must approve; a rule may ask for more. */
  readonly approvals: number;
  /** Who may not be among them. */
  readonly differ: readonly ('requester' | 'author')[];
  /** Who wrote the set, beside those who own its policies. */
  readonly authors: readonly string[];
  /** What may be lifted. */
  readonly lifts: readonly ('quarantine' | 'deny')[];
  /** Days that one may last. */
  readonly days: number;
};

export type Obligations = {
  /** Text for the client's notice header. */
  readonly notice?: string;
  /** Never stream before the verdict. */
  readonly release?: 'hold';
  /** `drop`: what is served in the place of the dataset has no flagged rows. `annotate`: the notice tells of them. */
  readonly rows?: 'drop' | 'annotate';
};

export type Decision = {
  readonly action: Action;
  /** `<policy>/<rule>`, `default` when no rule matched, `observe` where what was decided is not enforced. */
  readonly rule: string;
  readonly reason: string;
  readonly obligations: Obligations;
  /** What would have been done had all that is only observed been enforced, when it differs. */
  readonly audited?: { readonly action: Action; readonly rule: string };
  /** Id of the waiver or release that lifted a refusal. */
  readonly waiver?: string;
  /** Rules that hold it and let go of it by themselves after a time. */
  readonly waits?: readonly string[];
  /** By digest what it was computed from, where the gateway decided. */
  readonly evidence?: { readonly policySet: string; readonly ruleset: string; readonly facts: string };
};

/** A place in a policy file. */
export type Problem = {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
};

/** One condition of one rule as it was evaluated. */
export type Explained = {
  readonly rule: string;
  readonly action: Action;
  readonly matched: boolean;
  readonly conditions: readonly {
    readonly text: string;
    readonly at: string;
    readonly value: boolean | 'error';
    /** Indexes of the findings that made it true. */
    readonly witnesses: readonly number[];
    readonly error?: string;
  }[];
};

/** A loaded, checked set of policies and waivers. */
export type PolicySet = {
  /** sha256 over paths and contents of the files. */
  readonly digest: string;
  readonly files: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  /** Every rule of the policies that are not off, in the order of the files. */
  readonly rules: readonly RuleSummary[];
  readonly release: ReleaseTerms;
  /** Whether a rule asks for rows to be dropped: then a listing has to know which files will differ. */
  readonly dropsRows: boolean;
  /** `now` in ms since the epoch decides which waivers live. */
  decide(facts: Facts, now: number): Decision;
  explain(facts: Facts, now: number): readonly Explained[];
  /** Names of the rules that refuse these facts and that nothing lifts, or `default`; with the action of each. */
  refusing(facts: Facts, now: number): readonly { readonly rule: string; readonly action: 'quarantine' | 'deny' }[];
};

export type RuleSummary = {
  readonly name: string;
  readonly action: Action;
  readonly mode: 'enforce' | 'audit';
  /** Whom a refusal names. */
  readonly owner?: string;
  /** People who must approve what it held. */
  readonly approvals?: number;
  /** ms after which what it holds is let go. */
  readonly autoRelease?: number;
};
