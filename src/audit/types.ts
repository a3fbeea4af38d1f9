import type { Action } from '../policy/types.ts';

/** One entry as the gateway hands it over; the log adds id, time, node and order. Values are already redacted. */
export type Entry = {
  readonly kind:
    | 'artefact.decision'
    | 'artefact.outcome'
    | 'artefact.head'
    | 'listing'
    | 'upload.decision'
    | 'upload.failed'
    | 'policy.loaded'
    | 'policy.rejected'
    | 'knownbad.loaded'
    | 'knownbad.rejected'
    | 'node.start'
    | 'node.stop'
    | 'log.recovered'
    | 'log.exported'
    | 'log.thinned'
    | 'log.read'
    | 'config.loaded'
    | 'token.created'
    | 'token.revoked'
    | 'account.added'
    | 'account.changed'
    | 'account.assigned'
    | 'account.disabled'
    | 'session.opened'
    | 'session.refused'
    | 'session.closed'
    | 'credential.stored'
    | 'credential.removed'
    | 'order.placed'
    | 'order.approved'
    | 'order.lifted'
    | 'access.refused'
    | 'quarantine.held'
    | 'quarantine.requested'
    | 'quarantine.approved'
    | 'quarantine.released'
    | 'quarantine.refused'
    | 'quarantine.revoked'
    | 'quarantine.expired'
    | 'quarantine.commented'
    | 'conversion';
  readonly request?: { readonly id: string; readonly method: string; readonly route: string };
  /** Keyed pseudonym of who asked; the value behind it is in the records' side table. */
  readonly actor?: string;
  /** The team of whoever asked, the environment within it, and whether a token says so or only the path asked for. */
  readonly team?: string;
  readonly environment?: string;
  readonly teamFrom?: 'token' | 'path';
  readonly client?: { readonly name: string; readonly version: string };
  readonly artefact?: {
    readonly ecosystem: string;
    readonly repo: string;
    readonly commit: string;
    readonly path: string;
    readonly sha256?: string;
    readonly size?: number;
    readonly format?: string;
  };
  readonly decision?: {
    readonly action: Action;
    readonly rule: string;
    readonly reason: string;
    readonly provisional?: boolean;
    readonly waiver?: string;
    readonly audited?: { readonly action: Action; readonly rule: string };
    /** What the shadow set would have decided, and its digest. */
    readonly shadow?: { readonly action: Action; readonly rule: string; readonly policySet: string };
  };
  readonly evidence?: { readonly policySet: string; readonly ruleset: string; readonly facts: string };
  readonly served?: {
    readonly status: number;
    readonly bytes: number;
    readonly range?: string;
    readonly release: 'cached' | 'sealed' | 'held' | 'transcoded' | 'refused' | 'none';
    readonly convertedFrom?: string;
    readonly complete: boolean;
  };
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
  readonly ms?: number;
};

/** The access log as the gateway sees it. */
export type AccessLog = {
  /** Resolves with the index once the entry is on disk. Rejects with LOG_UNAVAILABLE when it cannot be written. */
  append(entry: Entry): Promise<number>;
  /** Queues an entry whose durability nobody waits for; throws LOG_UNAVAILABLE when the queue is full. Never drops. */
  enqueue(entry: Entry): void;
  /** The newest signed checkpoint (a C2SP signed note). */
  checkpoint(): string;
  /** The verifier key: `name+keyid+base64`. */
  readonly key: string;
  readonly size: number;
  /** Keyed pseudonym for a value that belongs to a person; the value goes to the erasable side table. */
  pseudonym(value: string): string;
  close(): Promise<void>;
};
