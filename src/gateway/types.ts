import type { Belonging } from '../identity/team.ts';
import type { Decision, Facts } from '../policy/types.ts';

/** A file as the upstream lists it. */
export type ListedFile = {
  readonly path: string;
  /** Bytes of the file itself (not of an LFS pointer). */
  readonly size: number;
  /** git blob sha1 of a regular file, or of the LFS pointer. */
  readonly oid: string;
  /** sha256 of an LFS file. */
  readonly sha256?: string;
};

export type FetchBytes = (
  file: ListedFile,
  start: number,
  end: number,
  signal?: AbortSignal,
  room?: (ahead: number) => Uint8Array,
) => AsyncIterable<Uint8Array>;

/** A repo at a commit as this caller may see it. Immutable but for `upstream` numbers. */
export type RepoAt = {
  readonly ecosystem: string;
  /** With its kind: `models/org/name`, `datasets/org/name`, `spaces/org/name`. */
  readonly repo: string;
  readonly commit: string;
  readonly files: ReadonlyMap<string, ListedFile>;
  readonly upstream: Facts['upstream'];
  /**
   * Fetches bytes of a file with this caller's rights, from `start` to `end` (exclusive); resumes faults by itself.
   * A chunk is gone once the next is asked for. `room` says where bytes are best read to (`BlobWriter.room`); it is only a hint.
   */
  readonly fetch: FetchBytes;
};

/** Who asks, with what, in which request. */
export type Requester = Belonging & {
  readonly request: { readonly id: string; readonly method: string; readonly route: string };
  /** What identifies the person or machine (token or address); only its keyed pseudonym is logged. */
  readonly identity: string;
  readonly client: { readonly name: string; readonly version: string };
  /** True for clients known to check length or digest of what they get: only they are served sealed. */
  readonly checksLength: boolean;
  /** Fires when the client has gone. */
  readonly signal: AbortSignal;
};

/** Bytes wanted: `start` to `end`, exclusive. */
export type ByteRange = { readonly start: number; readonly end: number };

/** What stands for a file in answers: of a converted file the converted bytes. */
export type Described = {
  readonly path: string;
  readonly size: number;
  /** Without quotes: sha256 (64 hex) or git sha1 or conversion identity (40 hex). Never depends on the caller. */
  readonly etag: string;
  /** The true sha256 of the bytes, when known. */
  readonly sha256?: string;
  /** Path of the pickle that this file was converted from. */
  readonly convertedFrom?: string;
};

/** The answer for one file; the ecosystem words it in its protocol. */
export type Answer =
  | {
      readonly kind: 'ready';
      readonly file: Described;
      readonly decision: Decision;
      /** Of a GET: the bytes of the range asked for; a chunk is valid until the next one is asked for. `whole` when the range must be ignored and byte 0 comes first. */
      readonly body?: AsyncIterable<Uint8Array>;
      readonly whole?: boolean;
    }
  | { readonly kind: 'refused'; readonly decision: Decision; readonly text: string }
  /** No such file, neither upstream nor by conversion. */
  | { readonly kind: 'missing' }
  /** Not judged yet; only for HEAD. */
  | { readonly kind: 'wait'; readonly seconds: number };

/** One file of a view. */
export type ViewFile = Described & {
  /** Size, oid and LFS digest upstream of an unchanged file. */
  readonly listed?: ListedFile;
  readonly decision?: Decision;
};

/** What a caller sees of a repo: conversions in the place of their sources, refused files still listed. */
export type View = {
  readonly files: readonly ViewFile[];
  /** Paths that are unlisted since their conversion (or an existing safetensors) replaces them, with what replaces them. */
  readonly replaced: ReadonlyMap<string, string>;
  /** Set when the repo is known to have weights and none of them is acceptable: it is refused as a whole. */
  readonly refusal?: { readonly decision: Decision; readonly text: string };
};

/** The gateway as an ecosystem uses it. Every call enters its decision in the access log before it resolves. */
export type Gateway = {
  /** The view of a repo; waits for the plans of its pickles, up to 8 s or up to `patience` ms. */
  view(repo: RepoAt, who: Requester, patience?: number): Promise<View>;
  head(repo: RepoAt, path: string, who: Requester): Promise<Answer>;
  /** `range` undefined means the whole file. Throws RANGE_NOT_SATISFIABLE (details.size) for a range outside the file. */
  get(repo: RepoAt, path: string, range: ByteRangeRequest | undefined, who: Requester): Promise<Answer>;
};

/** A range as asked for, before the size is known: `bytes=a-b`, `bytes=a-`, `bytes=-n`. */
export type ByteRangeRequest = { readonly first?: number; readonly last?: number; readonly suffix?: number };
