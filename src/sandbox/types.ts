import type { Limits } from '../bytes/limits.ts';
import type { Report } from '../formats/format.ts';

/** Where the host reads the bytes that a worker asks for: a blob, a file still arriving, a remote file by Range. */
export type Source = {
  readonly size: number;
  /** Exactly `length` bytes from `offset`, or a rejection. */
  read(offset: number, length: number): Promise<Uint8Array>;
};

/** One wall of the sandbox and whether it stands. */
export type Wall = {
  readonly name: 'isolate' | 'permission' | 'limits' | 'namespaces' | 'network';
  readonly stands: boolean;
  readonly detail: string;
};

export type InspectOptions = {
  /** See Context.provisional. */
  readonly provisional?: boolean;
  readonly signal?: AbortSignal;
};

/** The sandbox as the rest of the program sees it. */
export type Sandbox = {
  /** sha256 of everything that decides what a report says (the bundled parsers and the limits): the ruleset version. */
  readonly ruleset: string;
  /**
   * Inspects in a worker. Resolves with a report unless `signal` aborts (then CANCELLED): a crash, hang, lie or
   * limit is a report with `coverage: opaque` and the reason. Rejects when `source` does, with that fault, and with
   * SANDBOX_UNAVAILABLE when no worker judged the file through no fault of the file: that is no verdict.
   */
  inspect(source: Source, options?: InspectOptions): Promise<Report>;
  /**
   * Writes a Parquet file anew without some rows, in a worker: `write` gets its bytes one piece after the other, `size`
   * of them. The bytes are no more to be trusted than the file: whoever uses them inspects them. Throws NOT_CONVERTIBLE
   * when that cannot be done, and with the fault of `source` or `write`.
   */
  withoutRows(
    source: Source,
    dropped: readonly { readonly first: number; readonly last: number }[],
    output: { readonly size: number; write(chunk: Uint8Array): Promise<void> },
  ): Promise<void>;
  /**
   * Decompresses a wrapped checkpoint in a worker: `write` gets the bytes that its plan speaks of, `wrapped.size` of them.
   * Throws as `withoutRows` does.
   */
  unwrap(
    source: Source,
    wrapped: { readonly by: readonly string[]; readonly size: number },
    write: (chunk: Uint8Array) => Promise<void>,
  ): Promise<void>;
  walls(): readonly Wall[];
  /** Workers alive, idle and restarts so far: for metrics and tests. */
  stats(): { workers: number; idle: number; restarts: number };
  close(): Promise<void>;
};

export type SandboxOptions = {
  readonly workers: number;
  /** Bytes of memory for one isolate and, doubled plus the runtime, for one worker process. */
  readonly memory: number;
  /** Milliseconds of wall time for one inspection. */
  readonly timeout: number;
  /** The weakest acceptable set of walls: start fails below it. */
  readonly require: 'namespaces' | 'permission' | 'isolate';
  readonly limits?: Partial<Limits>;
  /** Count personal data in data sets: part of the ruleset, since reports differ. */
  readonly personalData?: boolean;
  /** Large files may have every worker: nobody waits with a small one, as callers of a gateway do. */
  readonly noReserve?: boolean;
};
